/* Latency and bandwidth: the formula at known numbers, and found again in times made up from it. */
#include "measure/network.h"

#include <math.h>
#include <stdbool.h>

#include "test.h"

static bool close_to(double a, double b, double error) {
  return fabs(a - b) <= error * fabs(b);
}

static void halves_at_known_numbers(void) {
  const heed_network network = {10e-6, 1e9};
  CU_ASSERT_EQUAL(heed_network_half(&network, 1, 1e9), 0);
  CU_ASSERT(close_to(heed_network_half(&network, 2, 1e9), 10e-6 + 0.5, 1e-12));
  CU_ASSERT(close_to(heed_network_half(&network, 8, 1e9), 30e-6 + 0.875, 1e-12));
  CU_ASSERT(close_to(heed_network_half(&network, 3, 3e6), log2(3) * 10e-6 + 2e-3, 1e-12));
  CU_ASSERT(close_to(heed_network_half(&network, 1024, 0), 100e-6, 1e-12));
}

/* Allreduces of 1 to 512 MB; `noise` in turn up and down. */
static heed_network fitted(const heed_network *network, int64_t ranks, double noise) {
  double bytes[10], seconds[10];
  for (int i = 0; i < 10; i++) {
    bytes[i] = (double)(1 << (20 + i));
    seconds[i] = 2 * heed_network_half(network, ranks, bytes[i]) * (i % 2 ? 1 + noise : 1 - noise);
  }
  return heed_network_fit(bytes, seconds, 10, ranks);
}

static void a_fit_finds_what_times_are_made_of(void) {
  static const heed_network networks[] = {{1e-6, 10e9}, {20e-6, 1.25e9}, {2e-3, 12.5e6}};
  for (size_t i = 0; i < sizeof networks / sizeof *networks; i++)
    for (int64_t ranks = 2; ranks <= 48; ranks += ranks % 2 ? 1 : 15) {
      heed_network found = fitted(&networks[i], ranks, 0);
      CU_ASSERT(close_to(found.latency, networks[i].latency, 1e-6));
      CU_ASSERT(close_to(found.bandwidth, networks[i].bandwidth, 1e-9));
      found = fitted(&networks[i], ranks, 0.05);
      CU_ASSERT(found.latency >= 0);
      CU_ASSERT(close_to(found.bandwidth, networks[i].bandwidth, 0.05));
    }
}

/* One of ten times that was disturbed, tenfold, to either side, does not carry the others with it. */
static void a_disturbed_time_is_one_of_ten(void) {
  const heed_network network = {20e-6, 1.25e9};
  for (int disturbed = 0; disturbed < 10; disturbed++)
    for (int slower = 0; slower < 2; slower++) {
      double bytes[10], seconds[10];
      for (int i = 0; i < 10; i++) {
        bytes[i] = (double)(1 << (20 + i));
        seconds[i] = 2 * heed_network_half(&network, 4, bytes[i]) * (i != disturbed ? 1 : slower ? 10 : 0.1);
      }
      const heed_network found = heed_network_fit(bytes, seconds, 10, 4);
      CU_ASSERT(found.bandwidth > network.bandwidth / 1.5 && found.bandwidth < 1.5 * network.bandwidth);
    }
}

/* Times that grow faster than their sizes would have a latency below 0. */
static void no_latency_is_negative(void) {
  const double bytes[] = {1e6, 2e6, 4e6}, seconds[] = {1e-3, 2.5e-3, 6e-3};
  heed_network found = heed_network_fit(bytes, seconds, 3, 2);
  CU_ASSERT_EQUAL(found.latency, 0);
  CU_ASSERT(found.bandwidth > 4e6 / 6e-3 && found.bandwidth < 1e6 / 1e-3);
}

/* One size tells nothing of latency. */
static void one_time_is_bandwidth(void) {
  const double bytes[] = {1e6}, seconds[] = {1e-3};
  heed_network found = heed_network_fit(bytes, seconds, 1, 4);
  CU_ASSERT_EQUAL(found.latency, 0);
  CU_ASSERT(close_to(found.bandwidth, 1.5e9, 1e-12));
}

HEED_TESTS({"halves at known numbers", halves_at_known_numbers}, {"a fit finds what times are made of", a_fit_finds_what_times_are_made_of},
           {"a disturbed time is one of ten", a_disturbed_time_is_one_of_ten}, {"no latency is negative", no_latency_is_negative},
           {"one time is bandwidth", one_time_is_bandwidth})
