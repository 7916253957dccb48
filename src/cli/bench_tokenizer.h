/** heed bench tokenizer. */
#ifndef HEED_CLI_BENCH_TOKENIZER_H
#define HEED_CLI_BENCH_TOKENIZER_H

#include <stdbool.h>

#include "heed/status.h"

typedef struct heed_bench_tokenizer_options {
  const char *vocabulary;   /**< NULL: one of each kind is trained on the text */
  const char *const *texts; /**< [text_count] */
  int text_count;           /**< 0: words are made up */
  int threads;              /**< for what is printed */
  bool cased, json;
} heed_bench_tokenizer_options;

/** Measures and prints.  Errors: as heed_tokenizer_open and heed_tokenizer_measure; HEED_IO when its temporary folder cannot be made. */
heed_status heed_bench_tokenizer(const heed_bench_tokenizer_options *options);

#endif
