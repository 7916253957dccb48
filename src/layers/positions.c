#include "layers/positions.h"

#include <math.h>

/* Angles are taken in double: rounded to float, the tables are the same whichever C library computes them, but for a last bit in some
 * hundred million. */
static const double base = 10000;

/* The angles of channel pair i at all places are multiples of one frequency, so the tables are filled a pair at a time. */

static void interleaved(float *out, const heed_model_config *config) {
  int64_t width = config->hidden;
  for (int64_t i = 0; 2 * i < width; i++) {
    double frequency = pow(base, -2.0 * (double)i / (double)width);
    for (int64_t p = 0; p < config->max_positions; p++) {
      out[p * width + 2 * i] = (float)sin((double)p * frequency);
      out[p * width + 2 * i + 1] = (float)cos((double)p * frequency);
    }
  }
}

static void columns_and_rows(float *out, const heed_model_config *config) {
  int64_t width = config->hidden, part = width / 2, half = part / 2, columns = config->position_columns;
  for (int64_t i = 0; i < half; i++) {
    double frequency = pow(base, -(double)i / (double)half);
    for (int64_t p = 0; p < config->max_positions; p++) {
      float *column = out + p * width + i, *row = column + part;
      column[0] = (float)sin((double)(p % columns) * frequency);
      column[half] = (float)cos((double)(p % columns) * frequency);
      row[0] = (float)sin((double)(p / columns) * frequency);
      row[half] = (float)cos((double)(p / columns) * frequency);
    }
  }
}

void heed_positions_waves(float *out, const heed_model_config *config) {
  if (config->positions == HEED_POSITIONS_SINUSOIDAL)
    interleaved(out, config);
  else
    columns_and_rows(out, config);
}

void heed_positions_turns(float *out, const heed_model_config *config, double theta) {
  int64_t width = config->hidden / config->heads, half = width / 2;
  for (int64_t i = 0; i < half; i++) {
    double frequency = pow(theta, -2.0 * (double)i / (double)width);
    for (int64_t p = 0; p < config->max_positions; p++) {
      out[p * width + i] = (float)cos((double)p * frequency);
      out[p * width + half + i] = (float)sin((double)p * frequency);
    }
  }
}
