/* A text as `heed prepare` reads it: lines, sentences that leave nothing out, and tokens of both kinds of vocabulary. */
#include "data/text.h"
#include "data/ill_formed.h"
#include "data/sentences.h"
#include "data/tokenizer.h"
#include "fuzz/tokenizer.h"

static heed_tokenizer *tokenizer_of(const char *path) {
  heed_tokenizer *tokenizer;
  FUZZ_MUST(heed_tokenizer_open(&tokenizer, path, false) == HEED_OK);
  return tokenizer;
}

static void take_line(const heed_tokenizer *wordpiece, const heed_tokenizer *bpe, const heed_line *line) {
  heed_ill_formed ill_formed = {.kept = true};
  heed_ill_formed_look(&ill_formed, line);
  for (size_t from = 0, end; from < line->bytes; from = end) {
    end = heed_sentence_end(line->text, line->bytes, from);
    FUZZ_MUST(end > from && end <= line->bytes);
    fuzz_encode(wordpiece, line->text + from, end - from);
  }
  fuzz_encode(bpe, line->text, line->bytes + line->ends);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static heed_tokenizer *wordpiece, *bpe;
  if (!wordpiece) {
    wordpiece = tokenizer_of(HEED_SOURCE "/tests/data/tokenizer_vocab.txt");
    bpe = tokenizer_of(HEED_SOURCE "/tests/data/bpe");
  }
  const char *path = fuzz_path(fuzz_file(data, bytes));
  const heed_line *lines;
  heed_text *text;
  int64_t count = 0, all = 0;
  if (!fuzz_went_well(heed_text_open(&text, &path, 1, heed_tokenizer_cut(wordpiece))))
    return 0;
  while (fuzz_went_well(heed_text_next(text, &lines, &count)) && count > 0)
    for (int64_t i = 0; i < count; i++) {
      take_line(wordpiece, bpe, &lines[i]);
      all += (int64_t)lines[i].bytes;
    }
  FUZZ_MUST(all <= (int64_t)bytes);
  heed_text_close(text);
  return 0;
}
