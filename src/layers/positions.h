/** Fixed tables of positions: sines and cosines that nothing trains. */
#ifndef HEED_LAYERS_POSITIONS_H
#define HEED_LAYERS_POSITIONS_H

#include "heed/config.h"
#include "layers/context.h"

/** Waves added to the words, out[positions, C].
 *
 *      sinusoidal     out[p, 2i] = sin(p / 10000^(2i/C)),  out[p, 2i + 1] = cos(…)            (Vaswani et al. 2017, §3.5)
 *      sinusoidal_2d  of column p mod columns in the first half of the channels, of row p / columns in the second, each half
 *                     sines before cosines, sin(x / 10000^(2i/(C/2)))                          (He et al. 2022; Peebles & Xie 2023) */
void heed_positions_waves(float *out, const heed_model_config *config);

/** Turns of queries and keys, out[positions, D]: cos(p·θ^(−2i/D)) for i < D/2, then their sines (Su et al. 2021, eq. 15). */
void heed_positions_turns(float *out, const heed_model_config *config, double theta);

/** Whether words have waves added. */
static inline bool heed_positions_are_waves(const heed_model_config *config) {
  return config->positions == HEED_POSITIONS_SINUSOIDAL || config->positions == HEED_POSITIONS_SINUSOIDAL_2D;
}

#endif
