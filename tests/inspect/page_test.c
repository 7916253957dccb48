/* The page and the JSON of an inspection that is made up: a model of next tokens, with tokens that HTML and JSON could stumble over. */
#include "inspect/page.h"

#include <jansson.h>
#include <math.h>

#include "data/folder.h"
#include "inspect/decode.h"
#include "inspect/json.h"
#include "reference/numbers.h"
#include "test.h"

enum { L = 2, H = 3, S = 5 };

static char *odd[S] = {"</script><b>", "\"quoted\\\"", "a&b@facts@", "\xE2\x80\xA8\x7F", "␣שלום"};
static heed_inspected_token tokens[S];
static heed_inspected_guess guesses[2];
static heed_inspected_place places[S];
static bool special[S];
static double entropy[L * H];

/* Causal maps of random weights; nothing of it is allocated. */
static heed_inspection make_up(void) {
  float *weights = test_floats(L * H * S * S), *rollout = test_floats(L * S * S);
  for (int i = 0; i < L * H * S * S; i++)
    weights[i] = i % S > i / S % S ? 0 : (float)(0.5 + 0.5 * test_number(2, i));
  for (int i = 0; i < L * S * S; i++)
    rollout[i] = i % S > i / S % S ? 0 : (float)(0.5 + 0.5 * test_number(3, i));
  for (int i = 0; i < L * H; i++)
    entropy[i] = 1.0 / (i + 3);
  for (int i = 0; i < S; i++) {
    tokens[i] = (heed_inspected_token){10 + i, odd[i], odd[i]};
    places[i] = (heed_inspected_place){i, i + 1 < S ? i + 1 : -1, 0.25, guesses};
  }
  guesses[0] = (heed_inspected_guess){{7, odd[0], odd[0]}, 0.5};
  guesses[1] = (heed_inspected_guess){{8, odd[1], odd[1]}, 0.125};
  return (heed_inspection){.model = {"run/step", "na<me", "gpt", 12, 8, 40, 999, true},
                           .text = odd[0],
                           .tokens = S,
                           .layers = L,
                           .heads = H,
                           .token = tokens,
                           .special = special,
                           .second = S,
                           .weights = weights,
                           .rollout = rollout,
                           .entropy = entropy,
                           .places = S,
                           .top = 2,
                           .place = places};
}

static char *print(const heed_inspection *in, heed_status (*how)(const heed_inspection *, FILE *)) {
  char *text;
  size_t bytes;
  FILE *out = open_memstream(&text, &bytes);
  CU_ASSERT_EQUAL_FATAL(how(in, out), HEED_OK);
  fclose(out);
  CU_ASSERT_EQUAL(strlen(text), bytes);
  return text;
}

static int count(const char *text, const char *part) {
  int found = 0;
  while ((text = strstr(text, part)))
    text += strlen(part), found++;
  return found;
}

/* The content of the script of that id. */
static const char *script_of(const char *page, const char *id, size_t *bytes) {
  char mark[64];
  snprintf(mark, sizeof mark, "id=\"%s\">", id);
  const char *at = strstr(page, mark);
  CU_ASSERT_PTR_NOT_NULL_FATAL(at);
  at += strlen(mark);
  *bytes = (size_t)(strstr(at, "</script>") - at);
  return at;
}

static void the_page_stands_alone(void) {
  heed_inspection in = make_up();
  char *page = print(&in, heed_page_print);
  CU_ASSERT_EQUAL(count(page, "<script"), 4);
  CU_ASSERT_EQUAL(count(page, "</script>"), 4);
  CU_ASSERT_EQUAL(count(page, "://"), 0); /* no address of anything */
  CU_ASSERT_EQUAL(count(page, "@import") + count(page, "url(") + count(page, "fetch(") + count(page, "innerHTML"), 0);
  CU_ASSERT_EQUAL(count(page, "default-src 'none'"), 1);
  CU_ASSERT_EQUAL(strncmp(page, "<!doctype html>", 15), 0);
  free(page);
  test_release();
}

static void the_page_holds_what_it_shows(void) {
  heed_inspection in = make_up();
  char *page = print(&in, heed_page_print);
  size_t bytes;
  const char *text = script_of(page, "facts", &bytes);
  json_t *facts = json_loadb(text, bytes, 0, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL(facts);
  for (size_t t = 0; t < S; t++)
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(json_object_get(facts, "tokens"), t)), odd[t]);
  CU_ASSERT(json_is_true(json_object_get(facts, "causal")));
  CU_ASSERT(json_is_null(json_object_get(facts, "secondText")));
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(facts, "bits")), 16);
  CU_ASSERT_EQUAL(json_array_size(json_object_get(facts, "entropy")), L * H);
  CU_ASSERT_EQUAL(json_array_size(json_object_get(facts, "places")), S);
  json_decref(facts);
  const char *ids[] = {"weights", "shares"};
  const float *maps[] = {in.weights, in.rollout};
  for (int i = 0; i < 2; i++) {
    const char *at = script_of(page, ids[i], &bytes), *end = at + bytes;
    for (int64_t m = 0; m < (i ? L : L * H); m++) {
      double map[S * S];
      CU_ASSERT_PTR_NOT_NULL_FATAL(at = decode_map(map, at, S, true, 16));
      for (int j = 0; j < S * S; j++)
        CU_ASSERT_DOUBLE_EQUAL(map[j], (double)maps[i][m * S * S + j], 1.6e-5);
    }
    CU_ASSERT_EQUAL(at, end);
  }
  free(page);
  test_release();
}

static void the_json_holds_all_numbers(void) {
  heed_inspection in = make_up();
  char *text = print(&in, heed_inspection_print);
  json_t *all = json_loads(text, 0, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL(all);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(all, "step")), 12);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(all, "layers")), L);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(all, "heads")), H);
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_object_get(all, "model"), "name")), "na<me");
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_object_get(all, "model"), "predict")), "next_token");
  json_t *weights = json_object_get(all, "weights"), *rollout = json_object_get(all, "rollout");
  CU_ASSERT_EQUAL(json_array_size(weights), L);
  CU_ASSERT_EQUAL(json_array_size(rollout), L);
  for (size_t i = 0; i < L * H * S * S; i++) {
    json_t *head = json_array_get(json_array_get(weights, i / (H * S * S)), i / (S * S) % H);
    CU_ASSERT_EQUAL((float)json_number_value(json_array_get(json_array_get(head, i / S % S), i % S)), in.weights[i]);
  }
  for (size_t i = 0; i < L * S * S; i++)
    CU_ASSERT_EQUAL((float)json_number_value(json_array_get(json_array_get(json_array_get(rollout, i / (S * S)), i / S % S), i % S)),
                    in.rollout[i]);
  for (size_t i = 0; i < L * H; i++)
    CU_ASSERT_DOUBLE_EQUAL(json_number_value(json_array_get(json_array_get(json_object_get(all, "entropy"), i / H), i % H)), entropy[i],
                           1e-9);
  for (size_t t = 0; t < S; t++) {
    json_t *place = json_array_get(json_object_get(all, "predictions"), t);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(json_object_get(all, "tokens"), t)), odd[t]);
    CU_ASSERT_EQUAL(json_integer_value(json_array_get(json_object_get(all, "ids"), t)), 10 + (int)t);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(place, "position")), (int)t);
    CU_ASSERT_EQUAL(json_is_null(json_object_get(place, "actual")), t == S - 1);
    CU_ASSERT_EQUAL(json_array_size(json_object_get(place, "top")), 2);
  }
  json_decref(all);
  free(text);
  test_release();
}

static void an_output_that_cannot_be_is_refused(void) {
  heed_inspection in = make_up();
  folder_make();
  CU_ASSERT_EQUAL(heed_inspection_write(&in, folder), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_inspection_write(&in, folder_path("none/page.html")), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_inspection_write(&in, folder_path("page.html")), HEED_OK);
  FILE *full = fopen("/dev/full", "w");
  CU_ASSERT_PTR_NOT_NULL_FATAL(full);
  CU_ASSERT_EQUAL(heed_inspection_print(&in, full), HEED_IO);
  fclose(full);
  folder_remove();
  test_release();
}

HEED_TESTS({"the page stands alone", the_page_stands_alone}, {"the page holds what it shows", the_page_holds_what_it_shows},
           {"the JSON holds all numbers", the_json_holds_all_numbers},
           {"an output that cannot be is refused", an_output_that_cannot_be_is_refused})
