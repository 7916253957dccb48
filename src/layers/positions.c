#include "layers/positions.h"

#include <math.h>

/* Angles are taken in double: rounded to float, the tables are the same whichever C library computes them, but for a last bit in some
 * hundred million. */
static const double base = 10000;

static void interleaved(float *row, double place, int64_t width) {
  for (int64_t i = 0; 2 * i < width; i++) {
    double angle = place * pow(base, -2.0 * (double)i / (double)width);
    row[2 * i] = (float)sin(angle);
    row[2 * i + 1] = (float)cos(angle);
  }
}

static void side_by_side(float *row, double place, int64_t width) {
  int64_t half = width / 2;
  for (int64_t i = 0; i < half; i++) {
    double angle = place * pow(base, -(double)i / (double)half);
    row[i] = (float)sin(angle);
    row[half + i] = (float)cos(angle);
  }
}

void heed_positions_waves(float *out, const heed_model_config *config) {
  int64_t width = config->hidden, columns = config->position_columns;
  for (int64_t p = 0; p < config->max_positions; p++) {
    float *row = out + p * width;
    if (config->positions == HEED_POSITIONS_SINUSOIDAL) {
      interleaved(row, (double)p, width);
      continue;
    }
    side_by_side(row, (double)(p % columns), width / 2);
    side_by_side(row + width / 2, (double)(p / columns), width / 2);
  }
}

void heed_positions_turns(float *out, const heed_model_config *config, double theta) {
  int64_t width = config->hidden / config->heads, half = width / 2;
  for (int64_t p = 0; p < config->max_positions; p++)
    for (int64_t i = 0; i < half; i++) {
      double angle = (double)p * pow(theta, -2.0 * (double)i / (double)width);
      out[p * width + i] = (float)cos(angle);
      out[p * width + half + i] = (float)sin(angle);
    }
}
