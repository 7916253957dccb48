/** Private to kernels/: activations of elements that one thread has taken; the work is shared by those who call. */
#ifndef HEED_KERNELS_ACTIVATION_H
#define HEED_KERNELS_ACTIVATION_H

#include "kernels/level.h"

/** y = act(x). */
void HEED_KERNEL(activation_values)(float *y, const float *x, int64_t count, heed_form form);
/** Both at once, y = act(x) and slopes = act′(x): they share most of their work.  y may be x's memory. */
void HEED_KERNEL(activation_both)(float *y, float *slopes, const float *x, int64_t count, heed_form form);

#endif
