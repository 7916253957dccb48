/** A BPE vocabulary as text: vocab.json on one line, then merges.txt, as Hugging Face's `tokenizers` writes them. */
#ifndef HEED_DATA_BPE_TEXT_H
#define HEED_DATA_BPE_TEXT_H

#include <stddef.h>

#include "data/string_map.h"

typedef struct heed_bpe_pair {
  int32_t left, right;
} heed_bpe_pair;

/** \param[in] names  the tokens in the byte alphabet, item = id; \param[in] merges  [count] in the order of their ranks
 *  \param[out] text  allocated, with a zero behind its `bytes`.  Errors: HEED_FAILED when memory is short. */
heed_status heed_bpe_print(const heed_string_map *names, const heed_bpe_pair *merges, int64_t count, char **text, size_t *bytes);

#endif
