/* The beginning and the end of a job: of the world, and of each group of its ranks. */
#include "comm/job.h"

#include "comm/add.h"
#include "comm/node.h"
#include "comm/shards.h"

void heed_job_fill(heed_job *job, MPI_Comm ranks, heed_job *world) {
  heed_communication *table = &job->table;
  job->ranks = ranks;
  job->world = world;
  MPI_Comm_rank(job->ranks, &table->rank);
  MPI_Comm_size(job->ranks, &table->size);
  MPI_Comm_split_type(job->ranks, MPI_COMM_TYPE_SHARED, table->rank, MPI_INFO_NULL, &job->node);
  MPI_Comm_rank(job->node, &job->node_rank);
  MPI_Comm_size(job->node, &job->node_size);
  job->group = table->size & -table->size; /* the largest power of two that divides P */
  job->groups = table->size / job->group;
  job->room = SIZE_MAX;
  table->self = job;
  heed_job_set_agreement(job);
  heed_job_set_node(job);
  heed_job_set_shards(job);
  heed_job_set_sums(job);
  heed_job_set_gather(job);
  heed_job_set_add(job);
}

void heed_job_close(heed_job *job) {
  if (!job->world)
    return;
  heed_job_free_shards(job);
  heed_add_close(job);
  heed_node_close(job);
  MPI_Comm_free(&job->node);
  MPI_Comm_free(&job->ranks);
  *job = (heed_job){0};
}
