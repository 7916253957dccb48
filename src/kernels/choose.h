/** What this processor can do, beside what is chosen (kernels.h). */
#ifndef HEED_KERNELS_CHOOSE_H
#define HEED_KERNELS_CHOOSE_H

#include "kernels/kernels.h"

/** The table of the highest level that this processor runs, whatever HEED_ISA says; NULL where it runs none. */
const heed_kernels *heed_kernels_best(void);

#endif
