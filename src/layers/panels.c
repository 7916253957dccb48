#include "layers/panels.h"

#include <stdlib.h>

heed_status heed_panels_add(heed_panels *panels, const heed_kernels *kernels, int64_t weight, int64_t inputs, int64_t outputs,
                            int64_t *index) {
  int64_t forward = kernels->linear_panels(inputs, outputs), backward = kernels->linear_panels(outputs, inputs);
  *index = -1;
  if (forward == 0)
    return HEED_OK;
  heed_panel_set *sets = realloc(panels->sets, (size_t)(panels->count + 1) * sizeof *sets);
  if (!sets)
    return heed_error(HEED_FAILED, "out of memory for %lld linear maps", (long long)panels->count + 1);
  panels->sets = sets;
  *index = panels->count++;
  sets[*index] = (heed_panel_set){.weight = weight,
                                  .inputs = inputs,
                                  .outputs = outputs,
                                  .forward = heed_arena_reserve(&panels->arena, (size_t)forward, kernels->element_bytes),
                                  .backward = heed_arena_reserve(&panels->arena, (size_t)backward, kernels->element_bytes)};
  return HEED_OK;
}

void heed_panels_free(heed_panels *panels) {
  heed_arena_free(&panels->arena);
  free(panels->sets);
}

void heed_panels_pack(heed_panels *panels, const heed_kernels *kernels, const float *parameters, const void *elements) {
#pragma omp parallel
  for (int64_t i = 0; i < panels->count; i++) {
    const heed_panel_set *set = &panels->sets[i];
    const char *w = (const char *)elements + (size_t)set->weight * kernels->element_bytes;
    void *forward = heed_arena_at(&panels->arena, set->forward), *backward = heed_arena_at(&panels->arena, set->backward);
#pragma omp for schedule(dynamic) nowait /* a map has fewer bands than many machines have threads */
    for (int64_t band = 0; band < (set->outputs + HEED_WEIGHT_BAND - 1) / HEED_WEIGHT_BAND; band++)
      kernels->linear_pack(forward, backward, w, band, set->inputs, set->outputs);
  }
  panels->packed = parameters;
  panels->elements = elements;
}

const void *heed_panels_elements(const heed_panels *panels, const float *parameters) {
  return panels && panels->packed && panels->packed == parameters ? panels->elements : NULL;
}

heed_linear_weights heed_panels_weights(const heed_panels *panels, int64_t index, const float *parameters, int64_t weight) {
  heed_linear_weights weights = {.w = parameters + weight};
  if (index >= 0 && heed_panels_elements(panels, parameters)) {
    weights.forward = heed_arena_at(&panels->arena, panels->sets[index].forward);
    weights.backward = heed_arena_at(&panels->arena, panels->sets[index].backward);
  }
  return weights;
}
