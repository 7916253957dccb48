/** Private to kernels/: sums over slices along the fixed binary tree.
 *
 *  The sum of n terms is the sum of its first 2ᵏ terms plus the sum of the rest, 2ᵏ the largest power of two below n (base/tree.h).
 *  Any aligned group of 2ʲ slices is then a whole branch: computed elsewhere and added later it gives the same bits, which is what
 *  makes a result independent of the number of ranks.
 *
 *  Terms arrive one by one, so the tree is walked as a binary counter: a stack of partial sums, one for each 1 in the binary form of
 *  the number of terms so far, the largest at the bottom.  A new term is put on top; as long as the counter carries, the two topmost
 *  sums are of one size and become one.  At the end the rest is added from the top down, which is the tree's right edge:
 *  7 = 4 + (2 + 1).  The stack never holds more than ⌊log₂ n⌋ + 1 sums. */
#ifndef HEED_KERNELS_TREE_H
#define HEED_KERNELS_TREE_H

#include <stdint.h>

/** Sums the stack must have room for when `terms` terms are pushed. */
static inline int64_t heed_tree_room(int64_t terms) {
  int64_t room = 1;
  while (terms >>= 1)
    room++;
  return room;
}

static inline void heed_tree_add(float *into, const float *from, int64_t size) {
#pragma omp simd
  for (int64_t i = 0; i < size; i++)
    into[i] += from[i];
}

static inline void heed_tree_write(float *to, const float *sum, int64_t size) {
#pragma omp simd
  for (int64_t i = 0; i < size; i++)
    to[i] = sum[i];
}

/** Where the next term is to be written: above the `depth` sums of `size` floats that the stack holds. */
static inline float *heed_tree_top(float *stack, int64_t depth, int64_t size) {
  return stack + depth * size;
}

/** After term number `term` (from 0) was written at the top: carries.  Returns the new depth. */
static inline int64_t heed_tree_push(float *stack, int64_t depth, int64_t size, int64_t term) {
  depth++;
  for (int64_t carry = term + 1; carry % 2 == 0; carry /= 2) {
    depth--;
    heed_tree_add(stack + (depth - 1) * size, stack + depth * size, size);
  }
  return depth;
}

/** After the last term: leaves the whole sum in stack[0 … size). */
static inline void heed_tree_finish(float *stack, int64_t depth, int64_t size) {
  for (; depth > 1; depth--)
    heed_tree_add(stack + (depth - 2) * size, stack + (depth - 1) * size, size);
}

#endif
