/* heed bench attention: each length, in both precisions, below the ceiling.  It runs alone. */
#include "measure/attention.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "command.h"
#include "test.h"

static void check_precision(const char *precision, const char *options, bool causal) {
  char command[512];
  snprintf(command, sizeof command, HEED_PROGRAM " bench attention --json --precision %s %s", precision, options);
  CU_ASSERT_FATAL(command_ended(command_run(command), 0));
  json_t *list = json_loads(command_output, 0, NULL);
  CU_ASSERT_EQUAL(json_array_size(list), HEED_ATTENTION_LENGTHS);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *o = json_array_get(list, i);
    double length = (double)heed_attention_lengths[i], batch = HEED_ATTENTION_TOKENS / length;
    CU_ASSERT_EQUAL(json_number_value(json_object_get(o, "sequence_length")), length);
    CU_ASSERT_EQUAL(json_number_value(json_object_get(o, "batch")), batch);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(o, "precision")), precision);
    CU_ASSERT_EQUAL(json_is_true(json_object_get(o, "causal")), causal);
    double ms = json_number_value(json_object_get(o, "ms_forward")) + json_number_value(json_object_get(o, "ms_backward"));
    double pairs = batch * 12 * length * (causal ? (length + 1) / 2 : length), rate = json_number_value(json_object_get(o, "gflops"));
    CU_ASSERT(ms > 0 && fabs(rate - 14 * 64 * pairs / ms / 1e6) <= 1e-6 * rate);
    CU_ASSERT(rate <= json_number_value(json_object_get(o, "ceiling_gflops")));
  }
  json_decref(list);
}

static void both_precisions(void) {
  check_precision("fp32", "", false);
  check_precision("bf16", "--causal", true);
}

static void causal_is_for_attention(void) {
  CU_ASSERT(command_ended(command_run(HEED_PROGRAM " bench gemm --causal 2>&1"), 64));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "heed bench gemm takes no --causal"));
}

HEED_TESTS({"lengths, rates and ceilings", both_precisions}, {"--causal is for attention", causal_is_for_attention})
