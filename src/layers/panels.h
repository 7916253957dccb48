/** The weights of a model's linear maps in the orders that products read (kernels.h, linear_pack), where the kernels have such.
 *
 *  They are copies of one block of elements, and hold what it held when they were packed: whoever changes it packs again, or forgets. */
#ifndef HEED_LAYERS_PANELS_H
#define HEED_LAYERS_PANELS_H

#include "base/arena.h"
#include "kernels/kernels.h"

/** Of one linear map. */
typedef struct heed_panel_set {
  int64_t weight, inputs, outputs; /**< offset in the flat block, [outputs, inputs] */
  size_t forward, backward;        /**< offsets in the arena */
} heed_panel_set;

typedef struct heed_panels {
  heed_arena arena;
  heed_panel_set *sets;
  int64_t count;
  const float *packed;  /**< the flat block whose weights they are copies of; NULL: none */
  const void *elements; /**< its tensors of two or more dimensions as elements, at the same offsets */
} heed_panels;

/** While planning: reserves the panels of a map.  \param[out] index  its number; −1: the kernels have none. */
heed_status heed_panels_add(heed_panels *panels, const heed_kernels *kernels, int64_t weight, int64_t inputs, int64_t outputs,
                            int64_t *index);
void heed_panels_free(heed_panels *panels);

/** Packs the weights of all maps.  From now on `elements`, which is borrowed, stands for the tensors of two or more dimensions of
 *  `parameters`, which need not have them.  Opens its parallel region. */
void heed_panels_pack(heed_panels *panels, const heed_kernels *kernels, const float *parameters, const void *elements);

/** The elements that stand for those of `parameters`; NULL: none.  panels may be NULL. */
const void *heed_panels_elements(const heed_panels *panels, const float *parameters);

/** What products take: with panels if they are copies of weights of `parameters`.  index −1, or panels NULL: without. */
heed_linear_weights heed_panels_weights(const heed_panels *panels, int64_t index, const float *parameters, int64_t weight);

#endif
