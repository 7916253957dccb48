#include "base/topology.h"

#include <errno.h>
#include <hwloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Objects of a kind that have a part in the set: a core of which one hardware thread may be used counts. */
static int count_touched(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_const_cpuset_t set) {
  int count = 0;
  for (hwloc_obj_t object = NULL; (object = hwloc_get_next_obj_by_type(topology, type, object));)
    count += hwloc_bitmap_intersects(object->cpuset, set) != 0;
  return count;
}

static void describe(heed_topology *t, hwloc_topology_t topology, hwloc_const_cpuset_t set) {
  unsigned p;
  hwloc_bitmap_foreach_begin(p, set) if (p < HEED_MOST_PROCESSORS) t->may_run.words[p / 64] |= (uint64_t)1 << p % 64;
  hwloc_bitmap_foreach_end();
  t->processors = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_PU);
  t->cores = count_touched(topology, HWLOC_OBJ_CORE, set);
  t->packages = count_touched(topology, HWLOC_OBJ_PACKAGE, set);
  t->numa_nodes = count_touched(topology, HWLOC_OBJ_NUMANODE, set);
}

heed_status heed_topology_read(heed_topology *topology) {
  hwloc_topology_t machine;
  *topology = (heed_topology){0};
  if (hwloc_topology_init(&machine) != 0)
    return heed_error(HEED_FAILED, "out of memory for the topology of this machine");
  hwloc_bitmap_t set = hwloc_bitmap_alloc();
  bool read = set && hwloc_topology_load(machine) == 0 && hwloc_get_cpubind(machine, set, HWLOC_CPUBIND_THREAD) == 0;
  heed_status status = HEED_OK;
  if (read)
    describe(topology, machine, set);
  else
    status = heed_error(HEED_FAILED, "the processors of this machine cannot be told (hwloc: %s)", strerror(errno));
  hwloc_bitmap_free(set);
  hwloc_topology_destroy(machine);
  return status;
}

static bool has(const heed_processors *set, int p) {
  return p < HEED_MOST_PROCESSORS && set->words[p / 64] >> p % 64 & 1;
}

int heed_processors_count(const heed_processors *set) {
  int count = 0;
  for (int i = 0; i < HEED_PROCESSOR_WORDS; i++)
    count += __builtin_popcountll(set->words[i]);
  return count;
}

bool heed_processors_within(const heed_processors *inner, const heed_processors *outer) {
  for (int i = 0; i < HEED_PROCESSOR_WORDS; i++)
    if (inner->words[i] & ~outer->words[i])
      return false;
  return true;
}

void heed_processors_add(heed_processors *sum, const heed_processors *set) {
  for (int i = 0; i < HEED_PROCESSOR_WORDS; i++)
    sum->words[i] |= set->words[i];
}

void heed_processors_text(const heed_processors *set, char *text, size_t bytes) {
  static const char gap[] = ",…";
  size_t used = 0;
  snprintf(text, bytes, "none");
  for (int p = 0; p < HEED_MOST_PROCESSORS; p++) {
    int first = p;
    char range[32];
    if (!has(set, p))
      continue;
    while (has(set, p + 1))
      p++;
    int length = snprintf(range, sizeof range, p > first ? "%s%d-%d" : "%s%d", used ? "," : "", first, p);
    if (used + (size_t)length + sizeof gap > bytes) {
      snprintf(text + used, bytes - used, "%s", gap);
      return;
    }
    memcpy(text + used, range, (size_t)length + 1);
    used += (size_t)length;
  }
}
