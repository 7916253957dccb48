/* What is refused of command lines, configurations, texts, vocabularies and shards.  Checkpoints, runs, disks and ranks:
 * refusals_of_runs_test.c. */
#include "refusals.h"

#define TRAIN_VOCABULARY "heed tokenizer train --type wordpiece --vocab-size 300 "
#define TRAIN_BPE "heed tokenizer train --type bpe --vocab-size 300 "
#define PREPARE "heed prepare --vocab vocab.txt "
#define TRAIN "heed train micro.yaml --set run.output=new "
#define COPY_BPE "cp -r bpe row && "
#define ENCODE_BPE "heed tokenizer encode --vocab row/bpe"

static const refusal command_lines[] = {
    {"no command", NULL, "heed", 64, "a command is needed; `heed --help` lists them"},
    {"a misspelt command", NULL, "heed evalute run", 64, "there is no command 'evalute'; did you mean 'evaluate'?"},
    {"the beginning of one", NULL, "heed eval run", 64, "did you mean 'evaluate'?"},
    {"no command at all", NULL, "heed paint", 64, "there is no command 'paint'; `heed --help` lists them"},
    {"half a command", NULL, "heed tokenizer", 64, "say train, encode or decode"},
    {"an unknown option", NULL, "heed fill run --tpo 3", 64, "unrecognized option '--tpo'; `heed fill --help` tells more"},
    {"an option without its value", NULL, "heed train micro.yaml --set", 64, "option '--set' requires an argument"},
    {"a setting without a value", NULL, "heed train micro.yaml --set model.layers", 64, "--set takes KEY=VALUE"},
    {"nothing to work on", NULL, "heed train", 64, "a configuration is needed, for example configs/bert-mini.yaml"},
    {"too much to work on", NULL, "heed embed run other-run", 64, "'other-run' is one argument too many"},
    {"a text without quotes", NULL, "heed fill run The [MASK] of", 64, "'[MASK]' is one argument too many; quotes keep a text together"},
    {"a sentence without quotes", NULL, "heed inspect run The house was old --output new.html", 64, "'was' is one argument too many"},
    {"nothing to look at", NULL, "heed inspect run --output new.html", 64, "a checkpoint (or run folder) and a text are needed"},
    {"nowhere to show it", NULL, "heed inspect run 'The house.'", 64, "--output is missing: the page to write, for example page.html"},
    {"an empty sentence", NULL, "heed inspect run '' --output new.html", 64, "argument 2 is empty"},
    {"a variable that is not set", NULL, "heed prepare --vocab \"$vocabulary\" --output new.h5 train.txt", 64, "argument 2 is empty"},
    {"a negative number", NULL, "heed fill run '[MASK]' --top -3", 64, "--top takes a whole number from 1 on, not '-3'"},
    {"a number beyond all numbers", NULL, "heed bench step --steps 99999999999999999999", 64, "--steps takes a whole number"},
    {"no number", NULL, TRAIN_VOCABULARY "--vocab-size 3k --output new.txt train.txt", 64, "--vocab-size '3k' is not a number from 6 to"},
    {"no such choice", NULL, "heed embed run --pool max", 64, "--pool takes mean or cls, not 'max'"},
    {"numbers of ranks that are none", NULL, "heed verify micro.yaml --ranks 1,,2", 64, "--ranks takes whole numbers"},
    {"an action that is none", NULL, "heed checkpoint erase run", 64, "there is no action 'erase'; list, show and verify are there"},
    {"an option of another measurement", NULL, "heed bench gemm --data train.h5", 64, "heed bench gemm takes no --data and no --lengths"},
    {"casing where there is none", NULL, TRAIN_BPE "--cased --output new train.txt", 64, "bpe always keeps upper case and accents"},
    {"a setting of no configuration", NULL, "heed doctor --set model.layers=2", 64, "--set replaces a value of a configuration: name one"},
    {"a size beyond all", NULL, "heed bench allreduce --largest 1024", 64, "--largest takes at most 512"},
    {"a size for another measurement", NULL, "heed bench gemm --largest 4", 64, "heed bench gemm takes no --largest"},
    {"a network that is none", NULL, "heed plan micro.yaml --network fast", 64,
     "--network takes a latency in microseconds and a bandwidth in Gbit/s, for example 20,10, not 'fast'"},
    {"a disk that never writes", NULL, "heed plan micro.yaml --checkpoint-rate 0", 64, "--checkpoint-rate takes megabytes a second"},
    {"times that are not wanted", NULL, "heed plan micro.yaml --no-time --network 20,10", 64, "--no-time leaves out all times"},
    {"rates that are none", NULL, "heed plan micro.yaml --rates micro.yaml", 65, "micro.yaml:1: not JSON"},
    {"rates of nothing", "echo '{}' > row/rates.json", "heed plan micro.yaml --rates row/rates.json", 65, "row/rates.json: no rates in it"},
    {"rates that nobody writes", NULL, "heed plan micro.yaml --rates pipe", 65, "pipe is no ordinary file"},
    {"no rates", NULL, "heed plan micro.yaml --rates missing.json", 65, "missing.json: cannot be opened: No such file"},
    {"a plan (goes on)", NULL, "heed plan micro.yaml", 0, NULL},
    {"a text that is to be decoded", NULL, "heed tokenizer decode --vocab bpe train.txt", 64,
     "'train.txt': what is read comes from standard input"},
    {"an argument of two lines", NULL, "heed $'tr\\nain'", 64, "there is no command 'tr?ain'; did you mean"},
    {"more threads than can be", NULL, "OMP_NUM_THREADS=65536 heed fill run '[MASK]'", 65, "OMP_NUM_THREADS asks for 65536 threads; 4096"},
    {"help that nobody gets", NULL, "heed train --help >/dev/full", 74, "standard output could not be written: No space left"},
    {"a result that nobody gets", NULL, "heed fill run '[MASK]' --json >/dev/full", 74, "could not be written: No space left"},
    {"numbers that nobody gets", NULL, "heed inspect run 'The house.' --json >/dev/full", 74, "could not be written: No space left"},
    {"no standard output", NULL, "heed checkpoint list run >&-", 74, "standard output could not be written: Bad file descriptor"},
    {"no standard input", NULL, "heed embed run <&-", 74, "standard input could not be read after line 0: Bad file descriptor"},
    {"no standard file at all", NULL, "heed train micro.yaml --set run.output=row/run <&- >&- 2>&- && heed checkpoint verify row/run", 0,
     NULL},
};

/* YAML that begins the file bad.yaml; the first row's line number counts from there. */
#define WITH(yaml) "printf '" yaml "\\n' > row/bad.yaml"
#define BAD "heed train row/bad.yaml"

static const refusal configurations[] = {
    {"an unknown key", WITH("run: {name: x}\\nmodel: {layesr: 2}"), BAD, 65,
     "row/bad.yaml:2: unknown key 'model.layesr'; did you mean 'model.layers'?"},
    {"an unknown section", WITH("modle: {layers: 2}"), BAD, 65, "row/bad.yaml:1: unknown section 'modle'; did you mean 'model'?"},
    {"a key without its section", NULL, TRAIN "--set leraning_rate=1", 65, "did you mean 'optimizer.learning_rate'?"},
    {"an unknown key that is set", NULL, TRAIN "--set optimizer.leraning_rate=1", 65,
     "--set optimizer.leraning_rate=1: unknown key 'optimizer.leraning_rate'; did you mean 'optimizer.learning_rate'?"},
    {"a section that is set", NULL, TRAIN "--set model=3", 65, "model is a section: set a key in it"},
    {"a negative size", NULL, TRAIN "--set model.layers=-1", 65, "model.layers: -1 is impossible; it must be from 1 to"},
    {"a size beyond all sizes", NULL, TRAIN "--set model.hidden=99999999999999999999", 65, "is impossible; it must be from 1 to"},
    {"a word for a number", NULL, TRAIN "--set model.layers=two", 65, "model.layers: expected a whole number, found 'two'"},
    {"a rate that is not finite", NULL, TRAIN "--set optimizer.learning_rate=nan", 65, "expected a number, found 'nan'"},
    {"hidden not divisible by heads", NULL, TRAIN "--set model.heads=3", 65,
     "--set model.heads=3: model.hidden 16 is not a multiple of model.heads 3; change one of them"},
    {"a sequence over max_positions", NULL, TRAIN "--set train.sequence_length=17", 65,
     "train.sequence_length 17 is above model.max_positions 16"},
    {"a batch that slices do not divide", NULL, TRAIN "--set train.slices=3", 65,
     "train.batch_sequences 8 is not a multiple of train.slices 3"},
    {"a family that is to come", NULL, TRAIN "--set model.family=vit", 65, "model.family: vit is not built yet"},
    {"a tab", WITH("run:\\n\\tname: x"), BAD, 65, "row/bad.yaml:2: not YAML"},
    {"a key given twice", WITH("run:\\n  name: x\\n  name: y"), BAD, 65, "row/bad.yaml:3: run.name is given twice; the first is on line 2"},
    {"an anchor", WITH("run: &x {name: x}"), BAD, 65, "row/bad.yaml:1: anchors (&) and aliases (*) are not taken"},
    {"a nest without end", "{ printf 'run: '; head -c 100000 /dev/zero | tr '\\0' '['; } > row/bad.yaml", BAD, 65,
     "row/bad.yaml:1: run: expected keys"},
    {"a second document", WITH("run: {name: x}\\n---\\nrun: {name: y}"), BAD, 65, "row/bad.yaml:2: a second document"},
    {"a name of two lines", WITH("run: {name: \"a\\\\nb\"}"), BAD, 65,
     "row/bad.yaml:1: run.name: the value holds the control character U+000A"},
    {"no such file", NULL, "heed train missing.yaml", 65, "missing.yaml: cannot be opened: No such file"},
    {"a folder", NULL, "heed train empty-folder", 65, "empty-folder is a folder, a YAML configuration is expected"},
    {"a pipe", NULL, "heed train pipe", 65, "pipe is no ordinary file, a YAML configuration is expected"},
    {"a socket", NULL, "heed train socket", 65, "socket: cannot be opened: No such device or address; a YAML configuration is expected"},
    {"a file without end", NULL, "heed train /dev/zero", 65, "/dev/zero is no ordinary file"},
    {"a link to itself", NULL, "heed train loop", 65, "Too many levels of symbolic links"},
    {"an empty file", NULL, "heed train empty.txt", 65, "empty.txt is empty; a configuration has the sections run, model"},
    {"a text", NULL, "heed train train.txt", 65, "train.txt:1: expected sections (run:, model:, data: …)"},
    {"a shard", NULL, "heed train train.h5", 65, "train.h5 is no text file: it holds zero bytes"},
    {"not UTF-8", NULL, "heed train latin.txt", 65, "latin.txt:1: not a text in UTF-8"},
    {"a path without end", NULL, "heed train $(head -c 5000 /dev/zero | tr '\\0' x)", 65, "cannot be opened: File name too long"},
};

static const refusal texts[] = {
    {"no such file", NULL, PREPARE "--output new.h5 train.txt missing.txt", 65, "missing.txt: the text could not be opened: No such file"},
    {"a folder", NULL, PREPARE "--output new.h5 empty-folder", 65, "empty-folder: a folder; name the text files in it"},
    {"an empty corpus", NULL, PREPARE "--output new.h5 empty.txt blank.txt", 65,
     "empty.txt and the others: no text in it, so new.h5 is not written"},
    {"an empty corpus for a vocabulary", NULL, TRAIN_VOCABULARY "--output new.txt empty.txt", 65,
     "empty.txt: no words in it to make a vocabulary of"},
    {"an empty corpus over an earlier shard", NULL, PREPARE "--output train.h5 blank.txt", 65, "so train.h5 is not written"},
    {"too few tokens for the letters", NULL, TRAIN_VOCABULARY "--vocab-size 20 --output new.txt train.txt", 65,
     "--vocab-size 20 is too small"},
    {"compressed", NULL, PREPARE "--output new.h5 train.txt.gz", 65, "train.txt.gz: compressed (gzip), not UTF-8 text; try: zcat"},
    {"a shard for a text", NULL, PREPARE "--output new.h5 train.h5", 65, "train.h5: an HDF5 file, not UTF-8 text"},
    {"a pipe that nobody fills", NULL, PREPARE "--output new.h5 pipe", 65, "pipe: a named pipe into which no program writes"},
    {"a file without end", NULL, TRAIN_VOCABULARY "--output new.txt /dev/zero", 65, "/dev/zero: a device; a text is a file, a pipe, or -"},
    {"a folder on standard input", NULL, PREPARE "--output new.h5 - < empty-folder", 74,
     "standard input: could not be read: Is a directory"},
    {"not UTF-8 (goes on)", NULL, PREPARE "--output row/new.h5 latin.txt", 0, "latin.txt:1: not UTF-8; such bytes are dropped, 1 sequence",
     1},
    {"not UTF-8, for tokens (goes on)", NULL, "heed tokenizer encode --vocab vocab.txt < latin.txt", 0, "standard input:1: not UTF-8", 1},
    {"a line of a gibibyte (goes on)", "printf 'the house ' > row/line.txt && truncate -s 1G row/line.txt",
     PREPARE "--output row/new.h5 row/line.txt", 0, NULL},
    {"a zero byte (goes on)", NULL, "printf 'a\\0b' | heed tokenizer encode --vocab vocab.txt", 0, NULL},
};

static const refusal vocabularies[] = {
    {"no such file", NULL, "heed tokenizer encode --vocab missing.txt", 65, "missing.txt: cannot be opened: No such file"},
    {"a folder without one", NULL, "heed prepare --vocab empty-folder --output new.h5 train.txt", 65,
     "empty-folder/vocab.json: cannot be opened: No such file or directory; the vocab.json of a BPE vocabulary is expected"},
    {"a pipe", NULL, "heed tokenizer encode --vocab pipe", 65, "pipe is no ordinary file, a vocabulary"},
    {"a socket", NULL, "heed tokenizer encode --vocab socket", 65, "socket: cannot be opened: No such device or address"},
    {"a device", NULL, "heed tokenizer encode --vocab /dev/zero", 65, "/dev/zero is no ordinary file"},
    {"an empty one", NULL, "heed tokenizer encode --vocab empty.txt", 65, "the vocabulary is empty; `heed tokenizer train` makes one"},
    {"one without [MASK]", NULL, "heed prepare --vocab no-mask.txt --output new.h5 train.txt", 65,
     "no-mask.txt: the vocabulary has no [MASK]"},
    {"one with duplicates", NULL, TRAIN "--set data.vocabulary=twice.txt", 65, "twice.txt: line 301: the token"},
    {"not UTF-8", NULL, "heed tokenizer encode --vocab latin.txt", 65, "latin.txt: not UTF-8 text"},
    {"zero bytes", NULL, "heed tokenizer encode --vocab zero.txt", 65, "zero.txt: not UTF-8 text"},
    {"a shard", NULL, "heed tokenizer encode --vocab train.h5", 65, "train.h5: not UTF-8 text"},
    {"eight mebibytes of one token", "{ cat vocab.txt; head -c 8380000 /dev/zero | tr '\\0' a; } > row/large.txt",
     "heed tokenizer encode --vocab row/large.txt", 65, "row/large.txt: line 301: more than 4194304 different beginnings of tokens"},
    {"eight mebibytes of tokens", "{ cat vocab.txt; head -c 8380000 /dev/zero | tr '\\0' a | fold -w 4095; } > row/large.txt",
     "heed tokenizer encode --vocab row/large.txt", 65, "row/large.txt: line 302: the token 'aaaa"},
    {"nine mebibytes", "head -c 9437184 /dev/zero | tr '\\0' a > row/large.txt", "heed tokenizer encode --vocab row/large.txt", 65,
     "larger than 8 MiB"},
    {"BPE: a file of the folder", NULL, "heed tokenizer encode --vocab bpe/vocab.json", 65,
     "of a BPE vocabulary (vocab.json, merges.txt) name"},
    {"BPE: without merges", COPY_BPE "rm row/bpe/merges.txt", ENCODE_BPE, 65, "row/bpe/merges.txt: cannot be opened: No such file"},
    {"BPE: not JSON", COPY_BPE "head -c 99 bpe/vocab.json > row/bpe/vocab.json", ENCODE_BPE, 65, "row/bpe/vocab.json:1: not JSON: "},
    {"BPE: no object", COPY_BPE "echo [] > row/bpe/vocab.json", ENCODE_BPE, 65, "row/bpe/vocab.json: no JSON object"},
    {"BPE: a nest without end", COPY_BPE "head -c 1000000 /dev/zero | tr '\\0' '[' > row/bpe/vocab.json", ENCODE_BPE, 65, "not JSON: "},
    {"BPE: eight mebibytes of numbers",
     COPY_BPE "{ printf '{\"a\":[0'; head -c 8300000 /dev/zero | sed 's/\\x0\\x0/,0/g'; echo ']}'; } > row/bpe/vocab.json", ENCODE_BPE, 65,
     "row/bpe/vocab.json: more than 1048576 values, too many for a vocabulary"},
    {"BPE: objects without end",
     COPY_BPE "{ printf '{\"a\":['; head -c 2700000 /dev/zero | sed 's/\\x0/{},/g'; echo '0]}'; } > row/bpe/vocab.json", ENCODE_BPE, 65,
     "row/bpe/vocab.json: more than 1048576 values, too many for a vocabulary"},
    {"BPE: eight mebibytes of empty merges", COPY_BPE "head -c 8388608 /dev/zero | tr '\\0' '\\n' > row/bpe/merges.txt", ENCODE_BPE, 65,
     "row/bpe/merges.txt: line 1: two tokens with a space between"},
    {"BPE: an id twice", COPY_BPE "sed -i 's/:299/:298/' row/bpe/vocab.json", ENCODE_BPE, 65, "have the same id, 298"},
    {"BPE: an id too many", COPY_BPE "sed -i 's/:299/:300/' row/bpe/vocab.json", ENCODE_BPE, 65, "is none of 0 … 299"},
    {"BPE: a byte is missing", COPY_BPE "sed -i 's/\"#\":/\"##\":/' row/bpe/vocab.json", ENCODE_BPE, 65,
     "no token '#' for the byte 35: not a byte-level BPE vocabulary"},
    {"BPE: no end of text", COPY_BPE "sed -i 's/<|endoftext|>/<s>/' row/bpe/vocab.json", ENCODE_BPE, 65, "has no <|endoftext|>"},
    {"BPE: a merge of what is no token", COPY_BPE "echo 'q q' >> row/bpe/merges.txt", ENCODE_BPE, 65,
     "row/bpe/merges.txt: line 45: what it gives of 'q q' is no token of vocab.json"},
    {"BPE: a line that is no merge", COPY_BPE "echo x >> row/bpe/merges.txt", ENCODE_BPE, 65, "line 45: two tokens with a space between"},
    {"BPE: casing where there is none", NULL, "heed prepare --cased --vocab bpe --output new.h5 train.txt", 65,
     "--cased goes with a WordPiece vocabulary"},
    {"BPE: for masked tokens", "heed prepare --vocab bpe --output row/bpe.h5 train.txt",
     TRAIN "--set data.vocabulary=bpe --set data.train=row/bpe.h5 --set data.validation=row/bpe.h5", 65,
     "which a vocabulary of kind bpe does not have"},
    {"BPE: for a shard of WordPiece", NULL, TRAIN "--set data.vocabulary=bpe", 65,
     "train.h5 holds wordpiece tokens, the vocabulary is bpe"},
    {"BPE: for [MASK]", "heed import hf --vocab bpe --output row/model", "heed fill row/model '[MASK]'", 65,
     "row/model: its vocabulary (bpe) has no [CLS], [SEP] and [MASK]"},
    {"BPE: in and out (goes on)", NULL,
     "heed import hf --vocab bpe --output row/model && heed export row/model --output row/hf && cmp bpe/vocab.json row/hf/vocab.json && "
     "cmp bpe/merges.txt row/hf/merges.txt",
     0, NULL},
    {"BPE: what is no id", NULL, "echo 1 two | heed tokenizer decode --vocab bpe", 65, "standard input:1: 'two' is no token id"},
    {"BPE: an id beyond all", NULL, "echo 300 | heed tokenizer decode --vocab bpe", 65, "token id 300 is outside the vocabulary of 300"},
    {"another size than the model's", NULL, TRAIN "--set model.vocabulary_size=400", 65,
     "vocab.txt has 300 tokens, but model.vocabulary_size is 400: set it to the former, --set model.vocabulary_size=300"},
};

static const refusal shards[] = {
    {"no such file", NULL, TRAIN "--set data.train=missing.h5", 65,
     "missing.h5: no such file, and no file matches it; make token shards with"},
    {"a glob of more paths than there are files", NULL, TRAIN "--set data.train='/*/../*/../*/../*/../*/../*/../*.h5'", 65,
     "*.h5: no such file; as a glob it may have up to 8 wildcards, all in its last two parts"},
    {"a glob of too many wildcards", NULL, "heed evaluate run --data 'a*a*a*a*a*a*a*a*a*b.h5'", 65, NULL},
    {"a folder", NULL, TRAIN "--set data.train=empty-folder", 65, "empty-folder: empty or not a file; `heed prepare` makes token shards"},
    {"a pipe", NULL, "heed evaluate run --data pipe", 65, "pipe: empty or not a file"},
    {"a socket", NULL, "heed evaluate run --data socket", 65, "socket: the token shard could not be opened: No such device or address"},
    {"a device", NULL, "heed evaluate run --data /dev/zero", 65, "/dev/zero: empty or not a file"},
    {"a link to itself", NULL, "heed evaluate run --data loop", 65, "loop: "},
    {"an empty file", NULL, "heed evaluate run --data empty.txt", 65, "empty.txt: empty or not a file"},
    {"a text", NULL, TRAIN "--set data.train=train.txt", 65, "train.txt: not a sound token shard: not an HDF5 file"},
    {"random bytes", NULL, TRAIN "--set data.train=binary", 65, "binary: not a sound token shard"},
    {"a shard cut short", NULL, "heed evaluate run --data cut.h5", 65, "cut.h5: not a sound token shard"},
    {"a checkpoint's state", NULL, "heed evaluate run --data run/checkpoints/step-00000002/state.h5", 65, "not a sound token shard"},
    {"another vocabulary", NULL, TRAIN "--set data.train=other.h5", 65, "other.h5 was prepared with another vocabulary"},
    {"another vocabulary than the checkpoint's", NULL, "heed evaluate run --data other.h5", 65,
     "other.h5 was prepared with another vocabulary"},
    {"another casing", NULL, TRAIN "--set data.validation=cased.h5", 65,
     "cased.h5 was prepared with --cased, but what it goes with is uncased: run `heed prepare` again without --cased"},
    {"another casing than the checkpoint's", NULL, "heed evaluate run --data cased.h5", 65, "cased.h5 was prepared with --cased"},
};

static const refusal outputs[] = {
    {"a folder for a shard", NULL, PREPARE "--output run train.txt", 65, "run: a folder; the output is one file"},
    {"a folder for a vocabulary", NULL, TRAIN_VOCABULARY "--output run train.txt", 65, "run: exists and is not a file"},
    {"into no folder", NULL, PREPARE "--output missing/new.h5 train.txt", 65,
     "missing/new.h5: no file can be made in missing: No such file"},
    {"a file for a BPE vocabulary", NULL, TRAIN_BPE "--output vocab.txt train.txt", 65, "vocab.txt: exists and is no folder"},
    {"a folder with another vocab.json", "mkdir row/other && echo mine > row/other/vocab.json", TRAIN_BPE "--output row/other train.txt",
     65, "row/other: exists and is no vocabulary; it is not replaced"},
    {"a device", NULL, TRAIN_VOCABULARY "--output /dev/null train.txt", 65, "/dev/null: exists and is not a file"},
    {"over the text it is made of", NULL, TRAIN_VOCABULARY "--output train.txt train.txt", 65, "train.txt: both input and output"},
    {"a shard over its text", NULL, PREPARE "--output train.txt train.txt", 65, "train.txt: both input and output"},
    {"a vocabulary over a configuration", NULL, TRAIN_VOCABULARY "--output micro.yaml train.txt", 65,
     "micro.yaml: exists and is no vocabulary"},
    {"a shard over a configuration", NULL, PREPARE "--output micro.yaml train.txt", 65,
     "micro.yaml: exists and is no token shard; it is not replaced"},
    {"a shard over a model", NULL, PREPARE "--output run/checkpoints/step-00000002/state.h5 train.txt", 65, "it is not replaced"},
};

/* Rows that are not so, each for one reason: the tables would be worth nothing if one of these passed. */
static void faults_are_seen(void) {
  static const struct {
    refusal row;
    const char *fault;
  } rows[] = {
      {{"", NULL, "heed evalute", 65, "evalute"}, "another exit code"},
      {{"", NULL, "heed evalute", 64, "elsewhere"}, "another message"},
      {{"", NULL, "exit 64", 64, NULL}, "not one error"},
      {{"", NULL, "heed evalute; heed evalute", 64, NULL}, "not one error"},
      {{"", NULL, "echo 'error: x' >&2", 0, NULL}, "an error that is none"},
      {{"", NULL, "echo '*** stack' >&2; heed evalute", 64, NULL}, "more than its message, or less"},
      {{"", NULL, "echo 'warning: x' >&2", 0, NULL}, "more than its message, or less"},
      {{"", NULL, "touch new.h5", 0, NULL}, "the world is not as it was"},
      {{"", NULL, "touch empty.txt", 0, NULL}, "the world is not as it was"},
      {{"", NULL, "rm new.h5", 0, NULL}, "the world is not as it was"},
      {{"", "false", "true", 0, NULL}, "its row could not be prepared"},
  };
  char errors[8192];
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const char *fault = judge(&rows[i].row, errors);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fault);
    CU_ASSERT_STRING_EQUAL(fault, rows[i].fault);
  }
}

static void of_command_lines(void) {
  CHECK_TABLE(command_lines);
}
static void of_configurations(void) {
  CHECK_TABLE(configurations);
}
static void of_texts(void) {
  CHECK_TABLE(texts);
}
static void of_vocabularies(void) {
  CHECK_TABLE(vocabularies);
}
static void of_shards(void) {
  CHECK_TABLE(shards);
}
static void of_outputs(void) {
  CHECK_TABLE(outputs);
}

HEED_TESTS({"begin", begin}, {"faults are seen", faults_are_seen}, {"command lines", of_command_lines},
           {"configurations", of_configurations}, {"texts", of_texts}, {"vocabularies", of_vocabularies}, {"shards", of_shards},
           {"outputs", of_outputs}, {"end", end})
