/* heed bench allreduce: its sizes, beside MPI's own, and the network that fits its times. */
#include "measure/allreduce.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>

#include "command.h"
#include "test.h"

static bool close_to(double a, double b) {
  return fabs(a - b) <= 1e-6 * fabs(b);
}

/* 2 · (bytes of a block) · (ranks of a machine) within a third of the memory. */
static void sizes_fit_a_third_of_memory(void) {
  const size_t gibibyte = (size_t)1 << 30, mebibyte = (size_t)1 << 20;
  CU_ASSERT_EQUAL(heed_allreduce_fitting(SIZE_MAX, 128), HEED_ALLREDUCE_SIZES);
  CU_ASSERT_EQUAL(heed_allreduce_fitting(6 * gibibyte, 2), HEED_ALLREDUCE_SIZES); /* 512 MB: 2 GiB of 2 GiB */
  CU_ASSERT_EQUAL(heed_allreduce_fitting(6 * gibibyte - 3, 2), HEED_ALLREDUCE_SIZES - 1);
  CU_ASSERT_EQUAL(heed_allreduce_fitting(6 * gibibyte, 4), HEED_ALLREDUCE_SIZES - 1);
  CU_ASSERT_EQUAL(heed_allreduce_fitting(12 * mebibyte, 2), 1);
  CU_ASSERT_EQUAL(heed_allreduce_fitting(12 * mebibyte - 3, 2), 0);
}

static double number(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  CU_ASSERT(json_is_number(value));
  return json_is_number(value) ? json_number_value(value) : NAN;
}

static json_t *measured(int ranks, int largest) {
  CU_ASSERT_FATAL(command_ended(command_run("OMP_NUM_THREADS=1 timeout 100 " HEED_MPIEXEC
                                            " --oversubscribe --bind-to none --mca btl_vader_single_copy_mechanism none -n %d " HEED_PROGRAM
                                            " bench allreduce --largest %d --json 2> /dev/null",
                                            ranks, largest),
                                0));
  return json_loads(command_output, 0, NULL);
}

static void sums_over_ranks(void) {
  json_t *object = measured(3, 9);
  const json_t *sizes = json_object_get(object, "sizes");
  CU_ASSERT_EQUAL(number(object, "ranks"), 3);
  CU_ASSERT_EQUAL(json_array_size(json_object_get(object, "left_out")), 0);
  CU_ASSERT_EQUAL(json_array_size(sizes), 4);
  const heed_network network = {number(object, "latency_seconds"), number(object, "bandwidth_bytes_per_second")};
  for (size_t i = 0; i < json_array_size(sizes); i++) {
    const json_t *o = json_array_get(sizes, i);
    double bytes = number(o, "bytes"), seconds = number(o, "seconds"), rate = number(o, "gigabytes_per_second");
    CU_ASSERT_EQUAL(bytes, (double)(1 << (20 + i)));
    CU_ASSERT(seconds > 0 && close_to(rate, bytes / seconds / 1e9));
    CU_ASSERT(close_to(number(o, "link_gigabytes_per_second"), rate * 4 / 3));
    CU_ASSERT(number(o, "mpi_seconds") > 0 && number(o, "ratio") > 0);
    double fitted = 2 * heed_network_half(&network, 3, bytes);
    CU_ASSERT(fitted > seconds / 30 && fitted < seconds * 30); /* of four times on a machine with other work */
  }
  json_decref(object);
}

/* One size tells nothing of latency: that of the smallest sums is given. */
static void latency_is_of_the_smallest_sums(void) {
  for (int ranks = 2; ranks <= 3; ranks++) {
    json_t *object = measured(ranks, 1);
    const double latency = number(object, "latency_seconds");
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(object, "latency_from")), "smallest sums");
    CU_ASSERT(latency > 1e-8 && latency < 1);
    json_decref(object);
  }
}

HEED_TESTS({"sizes fit a third of memory", sizes_fit_a_third_of_memory}, {"sums over ranks", sums_over_ranks},
           {"latency is of the smallest sums", latency_is_of_the_smallest_sums})
