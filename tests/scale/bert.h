/** BERT as the simulation needs it: its parameter table, and in which order and after how much work backward completes its parts. */
#ifndef HEED_TESTS_SCALE_BERT_H
#define HEED_TESTS_SCALE_BERT_H

#include <stdint.h>

#include "heed/parameters.h"

enum { BERT_MOST_PARTS = 2 * 24 + 2 };

typedef struct bert {
  int64_t layers, hidden;
  heed_parameter_table table;              /**< as src/models builds it, with the second gradient of the tied words */
  int64_t parts;                           /**< embeddings, two sublayers a layer, head: in the order of the flat block */
  int64_t part_edges[BERT_MOST_PARTS + 1]; /**< part i is [part_edges[i], part_edges[i + 1]) of the flat block */
} bert;

/** Builds the table of "bert-base" or "bert-large", 30,522 words, without pooler and next-sentence head.
 *  Errors: HEED_USAGE for another name; as heed_parameters_add's. */
heed_status bert_build(bert *model, const char *name);

/** Part i's share of the matrix products of a step, for rows of 128 tokens with 15% targets; the shares add up to 1.  Embeddings have
 *  none. */
double bert_share(const bert *model, int64_t part);

void bert_free(bert *model);

#endif
