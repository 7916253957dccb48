/* What is refused of checkpoints, sentences, runs, ranks and disks.  Command lines and the other files: refusals_test.c. */
#include "refusals.h"

#define FILL(run) "heed fill " run " 'The [MASK].'"
#define TRAIN "heed train micro.yaml --set run.output="

static const refusal checkpoints[] = {
    {"no such run", NULL, FILL("missing"), 65, "missing: there is no such folder; name a run's folder, or a checkpoint's in it"},
    {"a file", NULL, "heed embed train.h5", 65, "train.h5: is a file where a folder is expected; name a run's folder"},
    {"a pipe", NULL, FILL("pipe"), 65, "pipe: is a FIFO where a folder is expected"},
    {"a folder that is no run", NULL, "heed evaluate empty-folder", 65,
     "empty-folder: is neither a checkpoint (a folder with MANIFEST and state.h5)"},
    {"a folder too high or low", NULL, FILL("run/checkpoints"), 65, "run/checkpoints: is neither a checkpoint"},
    {"a run with nothing saved", NULL, FILL("empty-run"), 65, "empty-run: holds no good checkpoint; name another run, or train this one"},
    {"a checkpoint that is gone", NULL, FILL("run/checkpoints/step-00000009"), 65, "step-00000009: there is no such folder"},
    {"truncated", NULL, FILL("cut/checkpoints/step-00000002"), 65, "step-00000002: state.h5 has 3000 bytes, MANIFEST names"},
    {"an edited byte", NULL, FILL("edited/checkpoints/step-00000002"), 65, "state.h5 is damaged: it does not match its checksum"},
    {"an edited manifest", NULL, FILL("relabelled/checkpoints/step-00000002"), 65,
     "MANIFEST is damaged: it does not match its own checksum"},
    {"no manifest", NULL, FILL("unlisted/checkpoints/step-00000002"), 65, "step-00000002: MANIFEST is missing"},
    {"a link for its state", NULL, FILL("linked/checkpoints/step-00000002"), 65, "state.h5 is a symbolic link where a file is expected"},
    {"a pipe for its manifest", NULL, FILL("pipe-manifest"), 65, "MANIFEST is a FIFO where a file is expected"},
    {"a pipe for its state", NULL, FILL("pipe-state"), 65, "state.h5 is a FIFO where a file is expected"},
    {"a socket for its manifest", NULL, FILL("socket-manifest"), 65, "MANIFEST is a socket where a file is expected"},
    {"a socket for its state", NULL, FILL("socket-state"), 65, "state.h5 is a socket where a file is expected"},
    {"a run of nothing else", NULL, "heed evaluate edited", 65, "edited: holds no good checkpoint", 2},
    {"the newest damaged (goes on)", "cp -r run row/run && rm row/run/checkpoints/step-00000002/state.h5", FILL("row/run"), 0,
     "step-00000002: state.h5 is missing; this checkpoint is passed over", 1},
    {"verified", NULL, "heed checkpoint verify edited", 65, "edited/checkpoints/step-00000002: state.h5 is damaged"},
    {"verified, with nothing there", NULL, "heed checkpoint verify empty-run", 65, "empty-run: holds no checkpoint to verify"},
    {"shown", NULL, "heed checkpoint show cut", 65, "cut: holds no good checkpoint", 2},
    {"weights to start from", NULL, TRAIN "new --set train.start_from=missing", 65, "missing: there is no such folder"},
    {"weights of another shape", NULL, TRAIN "new --set train.start_from=run --set model.layers=2", 65,
     "to start from its weights: --set model.layers=1"},
    {"a path without end", NULL, FILL("$(head -c 5000 /dev/zero | tr '\\0' x)"), 65, "x: there is no such folder"},
};

#define IMPORT(weights) "heed import " weights ".safetensors --model-config hf/config.json --vocab hf/vocab.txt --output new"

static const refusal foreign_models[] = {
    {"no such weights", NULL, IMPORT("missing"), 65, "missing.safetensors is missing; Heed downloads nothing"},
    {"a folder without any", NULL, "heed import empty-folder --output new", 65, "empty-folder/model.safetensors is missing"},
    {"a checkpoint of Heed's", NULL, "heed import run --output new", 65, "run is Heed's own already"},
    {"a pickle alone", "mkdir row/old && touch row/old/pytorch_model.bin", "heed import row/old --output new", 65,
     "as a PyTorch pickle alone"},
    {"a pointer of Git LFS", "echo 'version https://git-lfs.github.com/spec/v1' > row/p.safetensors",
     "heed import row/p.safetensors --output new", 65, "fetch them with `git lfs pull`"},
    {"both casings", NULL, "heed import hf --cased --uncased --output new", 64, "say --cased or --uncased, once"},
    {"not imported yet", NULL, FILL("hf"), 65, "hf: is a model of transformers; `heed import hf --output CHECKPOINT`"},
    {"a run in a checkpoint", "heed import hf --output row/hf", "heed train micro.yaml --set run.output=row/hf", 65,
     "row/hf: is a checkpoint, not a run's folder; choose another run.output"},
    {"a pipe", NULL, "heed import pipe --output new", 65, "pipe is a FIFO where a file is expected"},
    {"a socket", NULL, "heed import socket --output new", 65, "socket is a socket where a file is expected"},
    {"a device", NULL, "heed import /dev/zero --model-config hf/config.json --output new", 65, "/dev/zero is a device where a file"},
    {"a pipe for its configuration", NULL, "heed import hf --model-config pipe --output new", 65, "pipe is no ordinary file"},
    {"offsets that overlap", NULL, IMPORT("overlap"), 65, "overlap.safetensors: b: its data overlap another tensor's"},
    {"huge offsets", NULL, IMPORT("huge"), 65, "huge.safetensors: a: its data reach beyond the end of the file"},
    {"a gap", NULL, IMPORT("gap"), 65, "gap.safetensors: a: its data lie behind a gap"},
    {"a header without end", NULL, IMPORT("endless"), 65, "endless.safetensors: is not a safetensors file"},
    {"weights cut short", NULL, IMPORT("cut"), 65, "its data reach beyond the end of the file, which was cut"},
    {"a pickle", NULL, IMPORT("pickle"), 65, "is a PyTorch pickle, not safetensors; save it anew with save_pretrained"},
    {"weights of something else", NULL, IMPORT("foreign"), 65, "foreign.safetensors: bert.embeddings.word_embeddings.weight is missing"},
    {"no configuration", NULL, "heed import hf --model-config missing.json --output new", 65, "missing.json: cannot be opened"},
    {"a configuration of Heed's", NULL, "heed import hf --model-config micro.yaml --output new", 65, "is not a model's config.json"},
    {"another kind of model", NULL, "heed import hf --model-config t5.json --output new", 65, "model_type 't5' is not built yet"},
    {"another size of model", NULL, "heed import hf --model-config wider.json --output new", 65,
     "has the shape [300, 16]; wider.json makes it"},
    {"no vocabulary beside the weights", "mkdir row/hf && cp hf/config.json hf/model.safetensors row/hf", "heed import row/hf --output new",
     65, "row/hf holds no vocabulary (vocab.txt, or vocab.json and merges.txt); name it with --vocab"},
    {"a vocabulary that is too large", "{ cat vocab.txt && echo zzz; } > row/larger.txt",
     "heed import hf --vocab row/larger.txt --output new", 65,
     "row/larger.txt has 301 tokens, hf/config.json says vocab_size 300: they are of different models"},
    {"another number of rows", NULL, "heed import hf --model-config smaller.json --output new", 65, "smaller.json makes it [299, 16]"},
    {"over a run", NULL, "heed import hf --output run", 65, "run was not written: something of that name is there already"},
    {"below a file", NULL, "heed import hf --output train.txt/new", 65, "train.txt"},
    {"an output that is not named", NULL, "heed import hf", 64, "--output is missing"},
    {"what comes out goes in again (goes on)", NULL, "heed import hf --output row/again && heed fill row/again '[MASK]'", 0, NULL},
    {"an export over a run", NULL, "heed export run --output linked", 65,
     "linked was not written: something of that name is there already"},
    {"an export over a file", NULL, "heed export run --output train.txt", 65, "train.txt was not written: something of that name"},
    {"an export of nothing", NULL, "heed export empty-run --output new", 65, "empty-run: holds no good checkpoint"},
};

#define WORDS "$(yes house | head -n 60 | tr '\\n' ' ')"

#define INSPECT(text) "heed inspect run " text " "

static const refusal sentences[] = {
    {"without a mask", NULL, "heed fill run 'The house.'", 65, "the text has no [MASK]; write [MASK] where a token is to be filled in"},
    {"a masked model, to continue a text", NULL, "heed generate run 'The house'", 65,
     "(model.causal: false), so it cannot continue a text; heed fill"},
    {"no such run, to continue a text", NULL, "heed generate none 'The house'", 65, "none"},
    {"a temperature below 0", NULL, "heed generate run 'The house' --temperature -1", 64,
     "--temperature takes a number from 0 to 100, not '-1'"},
    {"a probability above 1", NULL, "heed generate run 'The house' --top-p 1.5", 64, "--top-p takes a number from 0 to 1, not '1.5'"},
    {"no tokens to make", NULL, "heed generate run 'The house' --tokens 0", 64, "--tokens takes a whole number from 1 on, not '0'"},
    {"a seed that is none", NULL, "heed generate run 'The house' --seed 1.5", 64,
     "--seed takes a whole number from 0 to 4294967295, not '1.5'"},
    {"longer than the model, to fill", NULL, "heed fill run \"[MASK] " WORDS "\"", 65, "the model takes 16: shorten it"},
    {"longer than the model, to embed (goes on)", NULL, "echo \"" WORDS "\" | heed embed run", 0,
     "line 1 is longer than the model takes; its end was cut", 1},
    {"many of these (goes on)", NULL, "for i in 1 2 3; do echo; echo \"" WORDS "\"; done | heed embed run", 0,
     "3 of 6 lines, line 2 the first, are longer than the model takes; their ends were cut", 1},
    {"more predictions than tokens", NULL, FILL("run") " --top 301", 65, "the vocabulary has 300 tokens"},
    {"more predictions than tokens, to inspect", NULL, INSPECT("'The house.'") "--json --top 301", 65, "the vocabulary has 300 tokens"},
    {"longer than the model, to inspect", NULL, INSPECT("\"" WORDS "\"") "--output new.html", 65, "the model takes 16: shorten it"},
    {"a second sentence that makes it so", NULL, INSPECT("'The house.' \"" WORDS "\"") "--json", 65, "the model takes 16: shorten it"},
    {"a second sentence of a model of single ones", TRAIN "row/run --set model.token_types=1",
     "heed inspect row/run 'The house.' 'A river.' --json", 65, "row/run/checkpoints/step-00000002 has no token types"},
    {"no words to look at", NULL, INSPECT("' '") "--json", 65, "the text has no tokens; give a text with words in it"},
    {"a shard for a page", "cp train.h5 row",
     INSPECT("'The house.'") "--output row/train.h5; code=$?; cmp train.h5 row/train.h5 && exit $code", 65,
     "row/train.h5: exists and is no page; it is not replaced: remove it or choose another output"},
    {"a page for a page (goes on)", "heed inspect run 'The house.' --output row/page.html",
     INSPECT("'The house.'") "--output row/page.html", 0, NULL},
    {"a folder for a page", NULL, INSPECT("'The house.'") "--output empty-folder", 65, "empty-folder: exists and is not a file"},
    {"a page in no folder", NULL, INSPECT("'The house.'") "--output none/new.html", 65, "no file can be made in none: No such file"},
    {"a page of a run that is not there", NULL, "heed inspect missing 'The house.' --output new.html", 65,
     "missing: there is no such folder"},
    {"not UTF-8, to inspect (goes on)", NULL, INSPECT("$'caf\\351' $'\\351'") "--output row/new.html", 0,
     "the text:1: not UTF-8; such bytes are dropped, 2 sequences in all", 1},
    {"not UTF-8 (goes on)", NULL, "heed fill run $'caf\\351 [MASK]'", 0, "the text:1: not UTF-8; such bytes are dropped, 1 sequence in all",
     1},
};

static const refusal runs[] = {
    {"a run that is there already", NULL, "heed train micro.yaml", 65,
     "run already holds checkpoints: add --resume to go on, or choose another"},
    {"resumed as another", NULL, "heed train micro.yaml --resume --set model.heads=1 --set train.steps=3", 65,
     "model.heads was 2 when the run was saved and is 1 now"},
    {"resumed from nothing sound", NULL, TRAIN "edited --resume", 65, "edited: none of its checkpoints is sound", 2},
    {"a file for a folder", NULL, TRAIN "train.txt", 65, "train.txt: is a file where a folder is expected"},
    {"below a file", NULL, TRAIN "train.txt/run", 65, "train.txt/run: the folder cannot be made: Not a directory"},
    {"a link for a folder", NULL, TRAIN "loop", 65, "loop: is a symbolic link where a folder is expected; name the folder it leads to"},
    {"two jobs in one folder", NULL, "beside_a_job " TRAIN "row/run", 65, "row/run: another job is using this run folder (host "},
    {"two jobs, the second resumes", NULL, "beside_a_job " TRAIN "row/run --resume", 65, "another job is using this run folder"},
    {"a configuration of one's own in it", "mkdir row/run && cp micro.yaml row/run/config.yaml",
     "heed train row/run/config.yaml --set run.output=row/run; code=$?; cmp micro.yaml row/run/config.yaml && exit $code", 65,
     "row/run/config.yaml: is not a run's own, and would be replaced: move it, or choose another run.output"},
    {"another vocabulary in it", "mkdir row/run && cp other.txt row/run/vocab.txt",
     TRAIN "row/run; code=$?; cmp other.txt row/run/vocab.txt && exit $code", 65,
     "row/run/vocab.txt: is another vocabulary than data.vocabulary"},
    {"what a run left that saved nothing (goes on)", "mkdir row/run && cp run/config.yaml run/vocab.txt row/run", TRAIN "row/run", 0, NULL},
    {"another program's metrics in it", "mkdir row/run && cp other.txt row/run/metrics.jsonl",
     TRAIN "row/run; code=$?; cmp other.txt row/run/metrics.jsonl && exit $code", 65,
     "row/run/metrics.jsonl: is not a run's own, and would be replaced: move it, or choose another run.output"},
    {"metrics of which no checkpoint is left (goes on)",
     "cp -r run row && cp run/metrics.jsonl row/earlier && rm -r row/run/checkpoints && cp other.txt row/run/metrics.jsonl.1",
     TRAIN "row/run && cmp row/earlier row/run/metrics.jsonl.2 && cmp other.txt row/run/metrics.jsonl.1", 0,
     "row/run/metrics.jsonl is of an earlier run, of which nothing is saved: it is row/run/metrics.jsonl.2 now", 2},
    {"a pipe for its metrics", "mkdir row/run && mkfifo row/run/metrics.jsonl", TRAIN "row/run", 65,
     "row/run/metrics.jsonl: is not a file; remove it"},
};

/* Ranks of two machines, each with its own copy of the files, of which something is wrong with rank 1's. */
#define EACH_RANK(wrong) "mkdir row/0 row/1 && cp micro.yaml vocab.txt train.h5 row/0 && cp row/0/* row/1 && " wrong
#define TRAIN_APART "ranks 2 sh -c 'cd row/$OMPI_COMM_WORLD_RANK && heed train micro.yaml'"

static const refusal ranks[] = {
    {"3 for 8 slices", NULL, "ranks 3 " TRAIN "new", 65, "8 slices run on 1, 2, 4 or 8 ranks, not 3"},
    {"3 for 8 slices, to evaluate", NULL, "ranks 3 heed evaluate run", 65, "3 ranks cannot share 8 slices"},
    {"3 for 8 slices, to verify", NULL, "heed verify micro.yaml --ranks 1,3", 65,
     "8 slices run on 1, 2, 4 or 8 ranks, not 3; use --ranks 4 or"},
    {"3 for 8 slices, to plan", NULL, "heed plan micro.yaml --ranks 3", 65, "8 slices run on 1, 2, 4 or 8 ranks, not 3; use --ranks 4 or"},
    {"3 for 8 slices, to be looked at", NULL, "ranks 3 heed doctor micro.yaml", 65, "1 thing is wrong with this job"},
    {"a command line, said once", NULL, "ranks 2 heed train --nonsense", 64, "heed train: unrecognized option '--nonsense'"},
    {"a misspelt command, said once", NULL, "ranks 2 heed evalute run", 64, "did you mean 'evaluate'?"},
    {"a configuration to look at, said once", NULL, "ranks 2 heed doctor missing.yaml", 65, "missing.yaml: cannot be opened: No such file"},
    {"a file for a run's folder, looked at", NULL, "ranks 2 heed doctor micro.yaml --set run.output=train.txt", 65,
     "1 thing is wrong with this job"},
    {"a configuration, said once", NULL, "ranks 2 heed train missing.yaml", 65, "missing.yaml: cannot be opened: No such file"},
    {"a configuration of its own", EACH_RANK("sed 's/hidden: 16/hidden: 32/' micro.yaml > row/1/micro.yaml"), TRAIN_APART, 65,
     "rank 1: the configuration here is not that of rank 0"},
    {"a copy of its own", EACH_RANK("heed prepare --vocab vocab.txt --output row/1/train.h5 vocab.txt"), TRAIN_APART, 65,
     "rank 1: train.h5: holds other data here than on rank 0's machine"},
    {"no copy", EACH_RANK("rm row/1/train.h5"), TRAIN_APART, 65, "rank 1: train.h5"},
    {"a command of one process", NULL, "ranks 2 " FILL("run"), 65, "heed fill runs in one process: run it without mpirun"},
};

#define FULL "on_full_disk "
static const refusal disks[] = {
    {"a read-only folder for a run", "mkdir row/fixed && chmod 555 row/fixed", "unprivileged " TRAIN "row/fixed/new", 74,
     "row/fixed/new: the folder cannot be made: Permission denied", 0, "can_be_unprivileged"},
    {"a read-only run", "cp -r run row/run && chmod -R a-w row/run", "unprivileged " TRAIN "row/run --resume", 74,
     "row/run: the folder cannot be written: Permission denied", 0, "can_be_unprivileged"},
    {"a read-only folder for a shard", "mkdir row/fixed && cp train.h5 row/fixed && chmod 555 row/fixed",
     "unprivileged heed prepare --vocab vocab.txt --output row/fixed/train.h5 train.txt", 74,
     "no file can be made in row/fixed: Permission denied", 0, "can_be_unprivileged"},
    {"a read-only folder for a vocabulary", "mkdir row/fixed && chmod 555 row/fixed",
     "unprivileged heed tokenizer train --type wordpiece --vocab-size 300 --output row/fixed/vocab.txt train.txt", 74,
     "row/fixed/vocab.txt: no file can be made in row/fixed: Permission denied", 0, "can_be_unprivileged"},
    {"a read-only folder for a page", "mkdir row/fixed && chmod 555 row/fixed",
     "unprivileged heed inspect run 'The house.' --output row/fixed/page.html", 74,
     "row/fixed/page.html: no file can be made in row/fixed: Permission denied", 0, "can_be_unprivileged"},
    {"a run that may not be read", "cp -r run row/run && chmod 000 row/run", "unprivileged " FILL("row/run"), 74,
     "row/run: the folder cannot be opened: Permission denied", 0, "can_be_unprivileged"},
    {"a text that may not be read", "cp train.txt row && chmod 000 row/train.txt",
     "unprivileged heed prepare --vocab vocab.txt --output new.h5 row/train.txt", 65,
     "row/train.txt: the text could not be opened: Permission denied", 0, "can_be_unprivileged"},
    {"a full disk for a run", NULL, FULL TRAIN "row/disk/run", 74, "could not be written: No space left on device", 0, "can_mount"},
    {"a full disk for a shard", NULL, FULL "heed prepare --vocab vocab.txt --output row/disk/train.h5 train.txt", 74,
     "row/disk/train.h5: HDF5 could not make the file: No space left on device", 0, "can_mount"},
    {"a full disk for a vocabulary", NULL,
     FULL "heed tokenizer train --type wordpiece --vocab-size 300 --output row/disk/vocab.txt train.txt", 74,
     "row/disk/vocab.txt: could not be written: No space left on device", 0, "can_mount"},
    {"a full disk for a page", NULL, FULL "heed inspect run 'The house.' --output row/disk/page.html", 74,
     "row/disk/page.html: could not be written: No space left on device", 0, "can_mount"},
    {"a disk found full at the end, for a shard", "cp train.h5 row",
     "full_at_sync heed prepare --vocab vocab.txt --output row/train.h5 train.txt; code=$?; cmp train.h5 row/train.h5 && exit $code", 74,
     "row/train.h5: could not be made durable: No space left on device", 0, "can_trace"},
    {"a disk found full at the end, for a vocabulary", NULL,
     "full_at_sync heed tokenizer train --type wordpiece --vocab-size 300 --output new.txt train.txt", 74,
     "new.txt: could not be made durable: No space left on device", 0, "can_trace"},
    {"a disk found full at the end, for a page", NULL, "full_at_sync heed inspect run 'The house.' --output new.html", 74,
     "new.html: could not be made durable: No space left on device", 0, "can_trace"},
};

static void of_checkpoints(void) {
  CHECK_TABLE(checkpoints);
}
static void of_foreign_models(void) {
  CHECK_TABLE(foreign_models);
}
static void of_sentences(void) {
  CHECK_TABLE(sentences);
}
static void of_runs(void) {
  CHECK_TABLE(runs);
}
static void of_ranks(void) {
  CHECK_TABLE(ranks);
}
static void of_disks(void) {
  CHECK_TABLE(disks);
}

HEED_TESTS({"begin", begin}, {"checkpoints", of_checkpoints}, {"models of transformers", of_foreign_models}, {"sentences", of_sentences},
           {"runs", of_runs}, {"ranks", of_ranks}, {"disks", of_disks}, {"end", end})
