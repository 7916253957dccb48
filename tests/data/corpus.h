/** Token shards made in memory, for tests of what stands on them. */
#ifndef HEED_TESTS_DATA_CORPUS_H
#define HEED_TESTS_DATA_CORPUS_H

#include <stdlib.h>
#include <string.h>

#include "data/draws.h"
#include "data/shard.h"

/** How a made shard looks: `documents` documents of 1 … most_sentences sentences of least_tokens … most_tokens tokens. */
typedef struct corpus_shape {
  int64_t documents, most_sentences, least_tokens, most_tokens;
  int64_t vocabulary; /**< ids are drawn from [first_id, vocabulary) */
  int64_t first_id;
  bool wide;
  uint32_t seed;
} corpus_shape;

static inline int64_t corpus_between(heed_draws *draws, int64_t least, int64_t most) {
  return least + (int64_t)heed_below(heed_draw(draws), (uint64_t)(most - least + 1));
}

static inline heed_shard corpus_shard(const corpus_shape *shape) {
  heed_draws draws = heed_draws_begin(shape->seed, HEED_FOR_SYNTHETIC, 0, 0, 0);
  int64_t *documents = calloc((size_t)shape->documents + 1, sizeof *documents);
  int64_t *sentences = calloc((size_t)(shape->documents * shape->most_sentences) + 1, sizeof *sentences);
  int64_t sentence = 0;
  for (int64_t d = 0; d < shape->documents; d++) {
    for (int64_t s = corpus_between(&draws, 1, shape->most_sentences); s > 0; s--, sentence++)
      sentences[sentence + 1] = sentences[sentence] + corpus_between(&draws, shape->least_tokens, shape->most_tokens);
    documents[d + 1] = sentence;
  }
  int64_t count = sentences[sentence];
  void *tokens = calloc((size_t)count + 1, sizeof(uint32_t));
  for (int64_t t = 0; t < count; t++) {
    int64_t id = corpus_between(&draws, shape->first_id, shape->vocabulary - 1);
    if (shape->wide)
      ((uint32_t *)tokens)[t] = (uint32_t)id;
    else
      ((uint16_t *)tokens)[t] = (uint16_t)id;
  }
  return (heed_shard){.path = strdup("memory.h5"),
                      .tokens = tokens,
                      .wide = shape->wide,
                      .token_count = count,
                      .sentences = sentences,
                      .sentence_count = sentence,
                      .documents = documents,
                      .document_count = shape->documents,
                      .vocabulary_size = shape->vocabulary,
                      .tokenizer = "wordpiece"};
}

static inline void corpus_free(heed_shard *shard) {
  free(shard->path);
  free((void *)(uintptr_t)shard->tokens);
  free((void *)(uintptr_t)shard->sentences);
  free((void *)(uintptr_t)shard->documents);
}

/** The document of a shard's token, by a plain search. */
static inline int64_t corpus_document_of(const heed_shard *shard, int64_t token) {
  for (int64_t d = 0; d < shard->document_count; d++)
    if (token < shard->sentences[shard->documents[d + 1]])
      return d;
  return -1;
}

static inline bool corpus_is_edge(const heed_shard *shard, int64_t token) {
  for (int64_t s = 0; s <= shard->sentence_count; s++)
    if (shard->sentences[s] == token)
      return true;
  return false;
}

#endif
