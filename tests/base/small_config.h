/** The shortest configuration that is complete, as tests read and change it. */
#ifndef HEED_TESTS_BASE_SMALL_CONFIG_H
#define HEED_TESTS_BASE_SMALL_CONFIG_H

#include "heed/config.h"

/** Tests change it by --set, or add lines to its end. */
#define MODEL "model: {family: bert, vocabulary_size: 100, layers: 2, hidden: 8, heads: 2}\n"
#define TRAIN "train: {steps: 10, sequence_length: 16, batch_sequences: 4}\n"
#define OPTIMIZER "optimizer: {learning_rate: 1e-3}\n"
#define RUN "run: {name: small}\n"
#define ALL RUN MODEL TRAIN OPTIMIZER

static inline heed_status parse(heed_config *config, const char *text) {
  return heed_config_parse(config, text, "f.yaml", NULL, 0);
}

#endif
