#include "inspect/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/output.h"
#include "inspect/json.h"
#include "inspect/packed.h"

static int bits_of(const heed_inspection *in) {
  return heed_packed_bits(in->layers * (in->heads + 1) * in->tokens * in->tokens);
}

static void print_named(FILE *out, const char *name, const char *text) {
  fprintf(out, "\"%s\":", name);
  if (text)
    heed_json_string(out, text);
  else
    fputs("null", out);
  fputc(',', out);
}

static void print_place(FILE *out, const heed_inspection *in, const heed_inspected_place *place) {
  fprintf(out, "{\"at\":%lld,\"actual\":%lld,\"share\":%.6g,\"top\":[", (long long)place->position, (long long)place->actual,
          place->probability);
  for (int64_t i = 0; i < in->top; i++) {
    fputs(i ? ",[" : "[", out);
    heed_json_string(out, place->likely[i].token.shown);
    fprintf(out, ",%d,%.6g]", (int)place->likely[i].token.id, place->likely[i].probability);
  }
  fputs("]}", out);
}

/* All that the page knows beside the maps; data.js reads it. */
static void print_facts(FILE *out, const heed_inspection *in) {
  const heed_inspected_model *model = &in->model;
  fputc('{', out);
  print_named(out, "name", model->name);
  print_named(out, "family", model->family);
  print_named(out, "text", in->text);
  print_named(out, "secondText", in->second_text);
  fprintf(out, "\"step\":%lld,\"hidden\":%lld,\"vocabulary\":%lld,\"parameters\":%lld,\"causal\":%s,\"second\":%lld,\n",
          (long long)model->step, (long long)model->hidden, (long long)model->vocabulary_size, (long long)model->parameters,
          model->next_token ? "true" : "false", (long long)in->second);
  fprintf(out, "\"layers\":%lld,\"heads\":%lld,\"bits\":%d,\n\"tokens\":[", (long long)in->layers, (long long)in->heads, bits_of(in));
  for (int64_t t = 0; t < in->tokens; t++) {
    fputs(t ? "," : "", out);
    heed_json_string(out, in->token[t].shown);
  }
  fputs("],\n\"special\":[", out);
  for (int64_t t = 0; t < in->tokens; t++)
    fprintf(out, "%s%d", t ? "," : "", in->special[t]);
  fputs("],\n\"entropy\":", out);
  heed_json_doubles(out, in->entropy, in->layers * in->heads);
  fputs(",\n\"places\":[", out);
  for (int64_t m = 0; m < in->places; m++) {
    fputs(m ? ",\n" : "", out);
    print_place(out, in, &in->place[m]);
  }
  fputs("]}", out);
}

static heed_status print_part(FILE *out, const heed_inspection *in, const char *name, size_t length) {
  static const char *const names[] = {"style", "script", "facts", "weights", "rollout"};
  size_t part = 0;
  while (part < sizeof names / sizeof *names && (strlen(names[part]) != length || memcmp(names[part], name, length) != 0))
    part++;
  switch (part) {
  case 0:
    fputs(heed_page_style, out);
    return HEED_OK;
  case 1:
    fputs(heed_page_script, out);
    return HEED_OK;
  case 2:
    print_facts(out, in);
    return HEED_OK;
  case 3:
    return heed_packed_maps(out, in->weights, in->layers * in->heads, in->tokens, in->model.next_token, bits_of(in));
  case 4:
    return heed_packed_maps(out, in->rollout, in->layers, in->tokens, in->model.next_token, bits_of(in));
  default:
    return heed_error(HEED_FAILED, "the page has no part '%.*s'", (int)length, name);
  }
}

heed_status heed_page_print(const heed_inspection *in, FILE *out) {
  const char *at = heed_page_html, *name, *end;
  while ((name = strchr(at, '@')) && (end = strchr(name + 1, '@'))) {
    fwrite(at, 1, (size_t)(name - at), out);
    HEED_TRY(print_part(out, in, name + 1, (size_t)(end - name - 1)));
    at = end + 1;
  }
  fputs(at, out);
  return HEED_OK;
}

/* A page that was written before may be replaced, anything else is somebody's. */
heed_status heed_inspection_check_output(const char *path) {
  static const char beginning[] = "<!doctype html>";
  char begins[sizeof beginning] = "";
  HEED_TRY(heed_output_check(path));
  FILE *file = fopen(path, "rb");
  if (!file)
    return errno == ENOENT ? HEED_OK : heed_error(HEED_INVALID, "%s: cannot be read, and is not replaced: %s", path, strerror(errno));
  size_t got = fread(begins, 1, sizeof begins - 1, file);
  fclose(file);
  return got == 0 || strcasecmp(begins, beginning) == 0
             ? HEED_OK
             : heed_error(HEED_INVALID, "%s: exists and is no page; it is not replaced: remove it or choose another output", path);
}

heed_status heed_inspection_write(const heed_inspection *in, const char *path) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *out = open_memstream(&text, &bytes);
  if (!out)
    return heed_error(HEED_FAILED, "%s: out of memory for the page", path);
  heed_status status = heed_page_print(in, out);
  int failed = ferror(out);
  if ((fclose(out) != 0 || failed) && status == HEED_OK)
    status = heed_error(HEED_FAILED, "%s: out of memory for the page", path);
  if (status == HEED_OK)
    status = heed_output_write(path, text, bytes);
  free(text);
  return status;
}
