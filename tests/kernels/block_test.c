/* Blocks and panels of floats. */
#include "kernels/block_check.h"

HEED_TESTS({"products are the plain sums, whatever lies around", products}, {"bits of a row do not depend on its block", bits})
