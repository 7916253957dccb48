/* What a rank of a simulated job does: the exchange of src/comm and the optimizer's way to it (src/train/optimizer.c), over blocks that all
 * ranks share, with work whose time is simulated.  Rank 0 prints what simgrid.sh makes its tables of: names and numbers on a line.
 *      simulated sum  MODEL RATE            the sum of all gradients, then the way back of the parameters
 *      simulated step MODEL RATE SECONDS    a training step whose matrix products take so long
 * RATE: bytes of summands a second that a rank adds; 0: at once. */
#include <mpi.h>
#include <simgrid/actor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/world.h"
#include "scale/bert.h"
#include "scale/simulated_work.h"
#include "train/optimizer.h"

enum { SLICE_SUMS = 6 }; /* doubles that a rank tells all others of its losses */

typedef struct run {
  heed_communication *world;
  bert model;
  heed_kernels kernels;
  heed_optimizer_config config;
  heed_optimizer *optimizer;
  heed_masters masters;
  float *parameters, *gradients; /* the same memory on all ranks */
  double *losses;                /* likewise */
} run;

static double slowest(const run *r, double seconds) {
  return (double)r->world->maximum(r->world, (int64_t)(seconds * 1e12)) * 1e-12;
}

static void compute(double seconds) {
  if (seconds > 0)
    sg_actor_sleep_for(seconds);
}

static void time_sum(run *r) {
  heed_communication *world = r->world;
  world->barrier(world);
  const double begin = MPI_Wtime();
  world->sum_start(world, r->gradients, 0, r->model.table.total);
  world->sum_finish(world);
  const double sum = slowest(r, MPI_Wtime() - begin);
  world->barrier(world);
  const double middle = MPI_Wtime();
  world->allgather_shards(world, &(heed_gathered){.data = r->parameters, .bytes = sizeof *r->parameters}, 1);
  const double back = slowest(r, MPI_Wtime() - middle);
  if (world->rank == 0)
    printf("sum %.9f back %.9f\n", sum, back);
}

/* As heed_stepper_run: forward is a third of the products; backward goes from the head down and tells the optimizer after each part that
 * its gradients are final, whereupon sums begin and go on.  Then what is left of them, the losses, the update, the way back. */
static void time_step(run *r, double seconds) {
  heed_communication *world = r->world;
  world->barrier(world);
  const double begin = MPI_Wtime();
  compute(seconds / 3);
  for (int64_t part = r->model.parts - 1; part >= 0; part--) {
    compute(seconds * 2 / 3 * bert_share(&r->model, part));
    heed_optimizer_sum(r->optimizer, r->gradients, r->model.part_edges[part]);
  }
  const double backward = MPI_Wtime();
  heed_optimizer_sum_finish(r->optimizer, r->gradients);
  world->allgather(world, r->losses, SLICE_SUMS);
  const double summed = MPI_Wtime();
  const heed_update update = heed_optimizer_update(r->optimizer, &r->masters, r->gradients, 1, 1, 1);
  simulated_work_settle();
  const double end = MPI_Wtime(), step = slowest(r, end - begin), wait = slowest(r, summed - backward);
  if (world->rank == 0)
    printf("step %.9f polls %.9f wait %.9f update %.9f back %.9f\n", step, backward - begin - seconds, wait,
           end - summed - update.gather_seconds, update.gather_seconds);
}

/* Not malloc: SimGrid gives every rank the same pages and leaves out the copies between them. */
static heed_status allocate(run *r) {
  r->parameters = SMPI_SHARED_MALLOC((size_t)r->model.table.total * sizeof(float));
  r->gradients = SMPI_SHARED_MALLOC((size_t)r->model.table.gradient_total * sizeof(float));
  r->masters = (heed_masters){.chunks = heed_optimizer_chunks(r->optimizer), .kernels = &r->kernels, .communication = r->world};
  r->masters.values = r->parameters;
  r->losses = SMPI_SHARED_MALLOC((size_t)(SLICE_SUMS * r->world->size) * sizeof(double));
  return r->parameters && r->gradients && r->losses ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the blocks of a simulated rank");
}

static heed_status prepare(run *r, const char *model) {
  HEED_TRY(heed_world_open(&r->world));
  HEED_TRY(bert_build(&r->model, model));
  r->kernels = simulated_work_kernels();
  r->config = (heed_optimizer_config){.name = HEED_LAMB, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-6, .clip_norm = 1};
  HEED_TRY(heed_optimizer_create(&r->optimizer, &r->model.table, &r->config, &r->kernels, r->world));
  return allocate(r);
}

static void free_all(run *r) {
  SMPI_SHARED_FREE(r->parameters);
  SMPI_SHARED_FREE(r->gradients);
  SMPI_SHARED_FREE(r->losses);
  heed_optimizer_free(r->optimizer);
  bert_free(&r->model);
  heed_world_close();
}

static heed_status simulate(int argc, char **argv) {
  run r = {0};
  const bool sum = argc == 4 && strcmp(argv[1], "sum") == 0, step = argc == 5 && strcmp(argv[1], "step") == 0;
  if (!sum && !step)
    return heed_error(HEED_USAGE, "simulated sum MODEL RATE, or simulated step MODEL RATE SECONDS");
  HEED_TRY(prepare(&r, argv[2]));
  simulated_work_set_rate(strtod(argv[3], NULL));
  if (r.world->rank == 0)
    printf("ranks %d model %s parameters %lld ", r.world->size, argv[2], (long long)r.model.table.total);
  if (sum)
    time_sum(&r);
  else
    time_step(&r, strtod(argv[4], NULL));
  free_all(&r);
  return HEED_OK;
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  const heed_status status = simulate(argc, argv);
  if (status != HEED_OK)
    fprintf(stderr, "simulated: %s\n", heed_error_text());
  MPI_Finalize();
  return status;
}
