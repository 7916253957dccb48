#include "comm/groups.h"

#include "comm/add.h"
#include "comm/node.h"
#include "comm/world.h"

/* A process is in one of each.  Of a world that is not divided both are zeros. */
static heed_job data, tensor;

void heed_groups_close(heed_job *world) {
  heed_job_close(&tensor);
  heed_job_close(&data);
  world->table.data = &world->table;
  world->table.tensor = heed_alone();
}

/* Collective over the world: the group of all ranks with the same number. */
static heed_status open_group(heed_job *group, heed_job *world, int number) {
  MPI_Comm ranks;
  MPI_Comm_split(world->ranks, number, world->table.rank, &ranks);
  heed_job_fill(group, ranks, world);
  group->room = heed_node_room(world);
  return heed_node_open(group);
}

static heed_status open_groups(heed_job *world, int size) {
  heed_communication *table = &world->table;
  heed_status status = open_group(&tensor, world, table->rank / size);
  if (status == HEED_OK)
    status = heed_add_open(&tensor, true);
  HEED_TRY(table->agree(table, status));
  status = open_group(&data, world, table->rank % size);
  if (status == HEED_OK)
    status = heed_add_open(&data, false);
  return table->agree(table, status);
}

/* The largest divisor of `ranks` up to `most`. */
static int greatest_divisor(int ranks, int most) {
  while (ranks % most != 0)
    most--;
  return most;
}

static heed_status check(int ranks, int size) {
  if (size < 1)
    return heed_error(HEED_INVALID, "parallel.tensor is %d; set it to 1 or to another divisor of the job's %d ranks", size, ranks);
  if (ranks % size == 0)
    return HEED_OK;
  return heed_error(HEED_INVALID, "parallel.tensor is %d, which does not divide the job's %d rank%s; use mpirun -n %d or set it to %d",
                    size, ranks, ranks == 1 ? "" : "s", (ranks / size + 1) * size, greatest_divisor(ranks, size < ranks ? size : ranks));
}

heed_status heed_world_divide(heed_communication *table, int size) {
  heed_job *world = heed_job_of(table);
  HEED_TRY(check(table->size, size));
  if (table->tensor->size == size)
    return HEED_OK;
  heed_groups_close(world);
  if (size == 1)
    return HEED_OK;
  const heed_status status = open_groups(world, size);
  if (status != HEED_OK) {
    heed_groups_close(world);
    return status;
  }
  table->data = &data.table;
  table->tensor = &tensor.table;
  return HEED_OK;
}

heed_foresight heed_world_foresee(int ranks, int ranks_on_node, int size) {
  const int data_ranks = ranks / size, on_node = ranks_on_node > size ? ranks_on_node / size : 1;
  const size_t adding = size > 1 ? HEED_ADD_BYTES : 0;
  return (heed_foresight){heed_world_near(data_ranks, on_node),
                          heed_world_buffer_bytes(data_ranks, on_node) + heed_world_mpi_bytes(ranks, ranks_on_node) + adding};
}
