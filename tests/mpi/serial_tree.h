/** Leaves and their sum along the fixed tree, worked out without src/. */
#ifndef HEED_TESTS_MPI_SERIAL_TREE_H
#define HEED_TESTS_MPI_SERIAL_TREE_H

#include <stdint.h>

/** A float that looks random and may be very large or very small, so that another order of addition gives other bits. */
static inline float uneven(int64_t leaf, int64_t element) {
  uint64_t z = (uint64_t)leaf * 0x9E3779B97F4A7C15u + (uint64_t)element * 0xD1B54A32D192ED03u + 1;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  const float mantissa = (float)(int32_t)(z & 0xFFFFFF) - (float)0x800000;
  const float scale = (float)(1u << (z >> 40 & 15)) / (float)(1u << (z >> 48 & 15));
  return mantissa * scale;
}

/** Written by itself, on scalars: what comm/ must equal. */
static inline float serial_tree(int64_t leaf, int64_t leaves, int64_t element) {
  if (leaves == 1)
    return uneven(leaf, element);
  int64_t left = 1;
  while (left * 2 < leaves)
    left *= 2;
  const float a = serial_tree(leaf, left, element), b = serial_tree(leaf + left, leaves - left, element);
  return a + b;
}

#endif
