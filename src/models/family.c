#include "models/family.h"

#include <stdio.h>
#include <string.h>

static const heed_family families[] = {
    {.name = "bert", /* Devlin et al. 2019; transformers' BertForPreTraining */
     .embeddings = {"bert.embeddings.word_embeddings", "bert.embeddings.position_embeddings", "bert.embeddings.token_type_embeddings"},
     .embedding_norm = "bert.embeddings.LayerNorm",
     .block = "bert.encoder.layer.%d.",
     .sublayers = {{&heed_self_attention_body,
                    "attention.output.LayerNorm",
                    {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"}},
                   {&heed_feed_forward_body, "output.LayerNorm", {"intermediate.dense", "output.dense"}}},
     .sublayer_count = 2,
     .final_norm = "bert.encoder.LayerNorm",
     .pooler = "bert.pooler.dense",
     .head = {"cls.predictions.bias", "cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm"},
     .initialisation = HEED_INIT_TRUNCATED_NORMAL,
     .position_share = 1},
    {.name = "gpt", /* Radford et al. 2019; transformers' GPT2LMHeadModel, whose c_attn, c_proj and c_fc are transposed */
     .embeddings = {"transformer.wte", "transformer.wpe", "transformer.wse"},
     .embedding_norm = "transformer.ln_e",
     .block = "transformer.h.%d.",
     .sublayers = {{&heed_self_attention_body, "ln_1", {"attn.c_attn", NULL, NULL, "attn.c_proj"}},
                   {&heed_feed_forward_body, "ln_2", {"mlp.c_fc", "mlp.c_proj"}}},
     .sublayer_count = 2,
     .final_norm = "transformer.ln_f",
     .initialisation = HEED_INIT_NORMAL,
     .position_share = 0.5,
     .residual_scaled = true},
};

enum { FAMILIES = sizeof families / sizeof *families };

heed_status heed_family_find(const heed_family **family, const char *name) {
  char list[128] = "";
  for (size_t i = 0; i < FAMILIES; i++) {
    if (strcmp(families[i].name, name) == 0) {
      *family = &families[i];
      return HEED_OK;
    }
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", families[i].name);
  }
  return heed_error(HEED_INVALID, "model.family: '%s' is not built yet; there are: %s", name, list);
}
