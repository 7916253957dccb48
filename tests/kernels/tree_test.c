/* The binary counter of kernels/tree.h adds in the order of base/tree.h, within the room that it asks for. */
#include "kernels/tree.h"

#include "base/tree.h"
#include "reference/numbers.h"
#include "test.h"

enum { SIZE = 3, MOST = 70 };

static float branch(const float *terms, int64_t count, int64_t element) {
  if (count == 1)
    return terms[element];
  int64_t split = heed_tree_split(count);
  return branch(terms, split, element) + branch(terms + split * SIZE, count - split, element);
}

static void order(void) {
  float *terms = test_random(MOST * SIZE, 1, 1.0), *stack = test_floats((heed_tree_room(MOST) + 1) * SIZE);
  for (int64_t count = 1; count <= MOST; count++) {
    int64_t depth = 0, room = heed_tree_room(count);
    stack[room * SIZE] = 12345.0f; /* beyond the room */
    for (int64_t term = 0; term < count; term++) {
      memcpy(heed_tree_top(stack, depth, SIZE), terms + term * SIZE, SIZE * sizeof *terms);
      depth = heed_tree_push(stack, depth, SIZE, term);
    }
    heed_tree_finish(stack, depth, SIZE);
    for (int64_t element = 0; element < SIZE; element++)
      CU_ASSERT(stack[element] == branch(terms, count, element));
    CU_ASSERT(stack[room * SIZE] == 12345.0f);
  }
  test_release();
}

HEED_TESTS({"the counter walks the tree", order})
