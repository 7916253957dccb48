#include "models/level.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "heed/log.h"

static const char *const levels[] = {"generic", "x86-64-v2", "x86-64-v3", "x86-64-v4", "x86-64-v4-bf16", "x86-64-v4-amx"};
enum { LEVELS = sizeof levels / sizeof *levels };

/** Why the level that HEED_ISA names was not chosen. */
static heed_status refused(const char *pin) {
  for (int i = 0; pin && i < LEVELS; i++)
    if (strcmp(pin, levels[i]) == 0 || (i > 0 && strcmp(pin, levels[i] + strlen("x86-64-")) == 0))
      return heed_error(HEED_INVALID,
                        "HEED_ISA=%s: this processor lacks instructions of that level; unset, the best level that it has is taken", pin);
  return heed_error(HEED_INVALID, "HEED_ISA=%.40s: unknown; the levels are v2, v3, v4, v4-bf16, v4-amx (or x86-64-v2 …)", pin ? pin : "");
}

heed_status heed_level_agree(const heed_kernels **kernels, heed_communication *c) {
  const heed_kernels *best = heed_kernels_choose(NULL);
  heed_status status = HEED_OK;
  int64_t level = 0;
  if (!best)
    status = refused(getenv("HEED_ISA"));
  HEED_TRY(c->agree(c, status));
  while (level + 1 < LEVELS && strcmp(levels[level], best->isa) != 0)
    level++;
  *kernels = heed_kernels_choose(levels[-c->maximum(c, -level)]);

  char core[32] = "";
  snprintf(core, sizeof core, "%s", heed_blas_core());
  c->broadcast(c, core, sizeof core);
  if (strcmp(core, heed_blas_core()) != 0)
    heed_rank_warn("OpenBLAS runs its code for %s here and for %s on rank 0: results are right, but their last bits depend on which rank "
                   "computed what; set OPENBLAS_CORETYPE=%s everywhere for the same bits",
                   heed_blas_core(), core, core);
  return HEED_OK;
}
