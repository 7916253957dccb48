#include "inspect/json.h"

#include <errno.h>
#include <string.h>

#include "heed/inspection.h"

void heed_json_string(FILE *out, const char *text) {
  fputc('"', out);
  for (; *text; text++) {
    unsigned char byte = (unsigned char)*text;
    if (byte < 32 || byte == 127 || strchr("\"\\<>&", byte))
      fprintf(out, "\\u%04x", byte);
    else
      fputc(byte, out);
  }
  fputc('"', out);
}

void heed_json_floats(FILE *out, const float *numbers, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    fprintf(out, "%s%.9g", i ? "," : "[", (double)numbers[i]);
  fputc(']', out);
}

void heed_json_doubles(FILE *out, const double *numbers, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    fprintf(out, "%s%.9g", i ? "," : "[", numbers[i]);
  fputc(']', out);
}

/* [S][S], a row a line. */
static void print_map(FILE *out, const float *map, int64_t tokens) {
  for (int64_t q = 0; q < tokens; q++) {
    fputs(q ? ",\n" : "[", out);
    heed_json_floats(out, map + q * tokens, tokens);
  }
  fputc(']', out);
}

static void print_maps(FILE *out, const heed_inspection *in) {
  int64_t map = in->tokens * in->tokens;
  fputs(",\n\"weights\": [", out);
  for (int64_t l = 0; l < in->layers; l++)
    for (int64_t h = 0; h < in->heads; h++) {
      fputs(h ? ",\n" : l ? "],\n[" : "[", out);
      print_map(out, in->weights + (l * in->heads + h) * map, in->tokens);
    }
  fputs("]],\n\"rollout\": [", out);
  for (int64_t l = 0; l < in->layers; l++) {
    fputs(l ? ",\n" : "", out);
    print_map(out, in->rollout + l * map, in->tokens);
  }
  fputs("],\n\"entropy\": [", out);
  for (int64_t l = 0; l < in->layers; l++) {
    fputs(l ? ", " : "", out);
    heed_json_doubles(out, in->entropy + l * in->heads, in->heads);
  }
  fputc(']', out);
}

static void print_guess(FILE *out, const heed_inspected_token *token, double probability) {
  fputs("{\"token\": ", out);
  heed_json_string(out, token->name);
  fprintf(out, ", \"id\": %d, \"probability\": %.9g}", (int)token->id, probability);
}

static void print_place(FILE *out, const heed_inspection *in, const heed_inspected_place *place) {
  fprintf(out, "{\"position\": %lld, \"actual\": ", (long long)place->position);
  if (place->actual < 0)
    fputs("null", out);
  else
    print_guess(out, &in->token[place->actual], place->probability);
  fputs(", \"top\": [", out);
  for (int64_t i = 0; i < in->top; i++) {
    fputs(i ? ", " : "", out);
    print_guess(out, &place->likely[i].token, place->likely[i].probability);
  }
  fputs("]}", out);
}

static void print_model(FILE *out, const heed_inspection *in) {
  const heed_inspected_model *model = &in->model;
  fputs("\"model\": {\"checkpoint\": ", out);
  heed_json_string(out, model->checkpoint);
  fputs(", \"name\": ", out);
  heed_json_string(out, model->name);
  fputs(", \"family\": ", out);
  heed_json_string(out, model->family);
  fprintf(out,
          ", \"layers\": %lld, \"heads\": %lld, \"hidden\": %lld, \"vocabulary_size\": %lld, \"parameters\": %lld, \"predict\": "
          "\"%s\"},\n\"step\": %lld,\n\"layers\": %lld,\n\"heads\": %lld",
          (long long)in->layers, (long long)in->heads, (long long)model->hidden, (long long)model->vocabulary_size,
          (long long)model->parameters, model->next_token ? "next_token" : "masked", (long long)model->step, (long long)in->layers,
          (long long)in->heads);
}

static void print_tokens(FILE *out, const heed_inspection *in) {
  fputs(",\n\"tokens\": [", out);
  for (int64_t t = 0; t < in->tokens; t++) {
    fputs(t ? ", " : "", out);
    heed_json_string(out, in->token[t].name);
  }
  fputs("],\n\"ids\": [", out);
  for (int64_t t = 0; t < in->tokens; t++)
    fprintf(out, "%s%d", t ? ", " : "", (int)in->token[t].id);
  fputs("],\n\"token_types\": [", out);
  for (int64_t t = 0; t < in->tokens; t++)
    fprintf(out, "%s%d", t ? ", " : "", t >= in->second);
  fputc(']', out);
}

heed_status heed_inspection_print(const heed_inspection *in, FILE *out) {
  fputs("{\n", out);
  print_model(out, in);
  print_tokens(out, in);
  fputs(",\n\"predictions\": [", out);
  for (int64_t m = 0; m < in->places; m++) {
    fputs(m ? ",\n" : "", out);
    print_place(out, in, &in->place[m]);
  }
  fputc(']', out);
  print_maps(out, in);
  fputs("\n}\n", out);
  if (fflush(out) != 0 || ferror(out))
    return heed_error(HEED_IO, "the result could not be written: %s", strerror(errno));
  return HEED_OK;
}
