#include "models/family.h"

#include <string.h>

static const heed_family families[] = {
    {.name = "bert",
     .prefix = "bert.",
     .embeddings = "bert.embeddings.",
     .block = "bert.encoder.layer.%d.",
     .pooler = "bert.pooler.dense",
     .sublayers = {{&heed_self_attention_body, "attention.output.LayerNorm"}, {&heed_feed_forward_body, "output.LayerNorm"}},
     .sublayer_count = 2},
};

heed_status heed_family_find(const heed_family **family, const char *name) {
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
    if (strcmp(families[i].name, name) == 0) {
      *family = &families[i];
      return HEED_OK;
    }
  }
  return heed_error(HEED_INVALID, "model.family: '%s' is not built yet; there is: bert", name);
}
