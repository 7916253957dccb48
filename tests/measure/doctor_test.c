/* What heed doctor makes of ranks that are made up: each fault is found, of the right ranks and no others, and alike ranks are folded. */
#include "measure/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

enum { MOST = 1024 };
static heed_doctor_rank ranks[MOST];
static heed_doctor_run run;
static heed_doctor_job job;
static heed_findings findings;

static void bind(heed_doctor_rank *r, int first, int count) {
  r->topology.may_run = (heed_processors){0};
  for (int p = first; p < first + count; p++)
    r->topology.may_run.words[p / 64] |= (uint64_t)1 << p % 64;
}

/* A sound job: machines of 64 processors, divided among their ranks, each rank with a thread a processor. */
static void make_up(int count, int on_machine) {
  memset(ranks, 0, sizeof ranks);
  for (int i = 0; i < count; i++) {
    heed_doctor_rank *r = &ranks[i];
    *r = (heed_doctor_rank){.rank = i,
                            .machine = i - i % on_machine,
                            .version = "0.1.0",
                            .compiler = "gcc 12.2.0",
                            .build_type = "Release",
                            .build = 0xabcdef0123456789,
                            .mpi = "Open MPI v4.1.4",
                            .level = "x86-64-v4",
                            .runs = "x86-64-v4",
                            .blas_core = "SkylakeX",
                            .blas_config = "OpenBLAS 0.3.21",
                            .threads = 64 / on_machine,
                            .topology = {.processors = 64, .cores = 64 / on_machine, .packages = 1, .numa_nodes = 1},
                            .memory_free = (uint64_t)1 << 40,
                            .memory_limit = SIZE_MAX,
                            .shared_bytes = (uint64_t)1 << 35,
                            .shared_free = (uint64_t)1 << 35,
                            .link_seconds = i + 1 < count ? 2e-6 : 0,
                            .link_rate = i + 1 < count ? 5e9 : 0,
                            .config = 7,
                            .sight = HEED_SEEN,
                            .plan_bytes = (uint64_t)1 << 30};
    for (int k = 0; k < HEED_DOCTOR_FILES; k++)
      r->files[k] = (heed_doctor_files){.count = 1, .bytes = 4096, .hash = 99};
    snprintf(r->host, sizeof r->host, "node%02d", i / on_machine);
    bind(r, i % on_machine * r->threads, r->threads);
  }
  run = (heed_doctor_run){.folder = "/shared/run",
                          .is_there = true,
                          .file_system = "nfs4",
                          .free_bytes = (uint64_t)1 << 40,
                          .lock = HEED_LOCK_HELD,
                          .checkpoint_bytes = (uint64_t)1 << 30,
                          .keep = 3};
  job = (heed_doctor_job){ranks, count, &run, NULL};
}

static void judge(void) {
  heed_findings_free(&findings);
  CU_ASSERT_EQUAL_FATAL(heed_doctor_judge(&findings, &job), HEED_OK);
}

/* That there is one finding, of this severity, about these ranks ("1 3"), that says `text`, and advises something. */
static void expect(heed_severity severity, const char *about, const char *text) {
  char listed[256] = "";
  judge();
  if (findings.count != 1)
    for (int i = 0; i < findings.count; i++)
      printf("\n    found: %s", findings.items[i].what);
  CU_ASSERT_EQUAL(findings.count, 1);
  if (findings.count != 1)
    return;
  const heed_finding *f = &findings.items[0];
  for (int i = 0; i < f->count; i++)
    snprintf(listed + strlen(listed), sizeof listed - strlen(listed), "%s%d", i ? " " : "", f->ranks[i]);
  CU_ASSERT_EQUAL(f->severity, severity);
  CU_ASSERT_EQUAL(findings.wrong, severity == HEED_WRONG);
  CU_ASSERT_STRING_EQUAL(listed, about);
  CU_ASSERT_PTR_NOT_NULL(strstr(f->what, text));
  if (!strstr(f->what, text))
    printf("\n    '%s' is not in: %s", text, f->what);
  CU_ASSERT(strlen(f->advice) > 10);
}

static void sound_jobs_are_fine(void) {
  static const int sizes[][2] = {{1, 1}, {2, 1}, {2, 2}, {3, 2}, {8, 4}, {64, 64}, {1024, 8}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    make_up(sizes[i][0], sizes[i][1]);
    judge();
    CU_ASSERT_EQUAL(findings.count, 0);
    job.run = NULL;
    judge();
    CU_ASSERT_EQUAL(findings.count, 0);
  }
}

static void other_programs_are_wrong(void) {
  make_up(4, 2);
  ranks[2].build++;
  expect(HEED_WRONG, "2",
         "different builds of Heed: 0.1.0, gcc 12.2.0, Release, build abcdef012345678a on rank 2 (node01), and 0.1.0, gcc 12.2.0, Release, "
         "build abcdef0123456789 on ranks 0–1, 3 (node00, node01)");
  make_up(4, 2);
  strcpy(ranks[0].mpi, "Open MPI v5.0.0"); /* the odd one may be rank 0 */
  expect(HEED_WRONG, "0", "different MPI libraries: Open MPI v5.0.0 on rank 0 (node00)");
  make_up(2, 1);
  ranks[1].config++;
  expect(HEED_WRONG, "1", "different configurations: ");
}

static void other_files_are_wrong(void) {
  make_up(4, 2);
  ranks[3].files[HEED_DOCTOR_TRAIN].hash++;
  expect(HEED_WRONG, "3", "different training data: 1 file, 4.0 KiB, hash 0000000000000064 on rank 3 (node01)");
  make_up(4, 2);
  ranks[1].files[HEED_DOCTOR_VALIDATION].bytes++;
  ranks[1].files[HEED_DOCTOR_VALIDATION].hash--;
  expect(HEED_WRONG, "1", "different validation data");
  make_up(4, 2);
  ranks[1].files[HEED_DOCTOR_VOCABULARY].hash = ranks[2].files[HEED_DOCTOR_VOCABULARY].hash = 5;
  expect(HEED_WRONG, "1 2", "different vocabularies");
  make_up(4, 2);
  ranks[2].files[HEED_DOCTOR_TRAIN] = (heed_doctor_files){.error = "train.h5 is missing"};
  expect(HEED_WRONG, "2", "rank 2 (node01): the training data cannot be read: train.h5 is missing");
  make_up(4, 2);
  strcpy(ranks[1].data_error, "train.h5: not a sound token shard: it is cut");
  expect(HEED_WRONG, "1", "rank 1 (node00): training would refuse the data: train.h5: not a sound token shard: it is cut");
  make_up(4, 2);
  for (int r = 0; r < 4; r++)
    ranks[r].files[HEED_DOCTOR_VALIDATION] = (heed_doctor_files){0}; /* none is named */
  judge();
  CU_ASSERT_EQUAL(findings.count, 0);
}

static void other_processors_are_doubtful(void) {
  make_up(4, 2);
  strcpy(ranks[1].level, "x86-64-v3");
  strcpy(ranks[1].runs, "x86-64-v3");
  expect(HEED_DOUBTFUL, "1", "different instruction levels: x86-64-v3 on rank 1 (node00)");
  make_up(4, 2);
  strcpy(ranks[1].pinned, "v2");
  strcpy(ranks[1].runs, "x86-64-v2");
  expect(HEED_DOUBTFUL, "1", "x86-64-v2 (HEED_ISA=v2) on rank 1");
  make_up(4, 2);
  strcpy(ranks[1].pinned, "v9");
  ranks[1].runs[0] = 0;
  expect(HEED_WRONG, "1", "HEED_ISA=v9 names a level that is unknown or that the processor (x86-64-v4) lacks");
  make_up(4, 2);
  strcpy(ranks[3].blas_core, "Haswell");
  expect(HEED_DOUBTFUL, "3", "different cores of OpenBLAS: Haswell (OpenBLAS 0.3.21) on rank 3");
  make_up(4, 2);
  ranks[3].threads = 16;
  expect(HEED_DOUBTFUL, "3", "different numbers of threads: 16 on rank 3");
}

static void crowds_are_doubtful(void) {
  make_up(4, 2); /* two ranks on the same cores, as many threads as those two think to have */
  bind(&ranks[3], 0, 32);
  expect(HEED_DOUBTFUL, "2 3", "ranks 2–3 (node01): oversubscribed: 64 threads on 32 processors (0-31)");
  make_up(4, 2); /* bound to one core, as mpirun does with two ranks */
  bind(&ranks[0], 5, 1);
  expect(HEED_DOUBTFUL, "0", "oversubscribed: 32 threads on 1 processor (5)");
  make_up(4, 2); /* unbound: fine while all threads have room */
  bind(&ranks[2], 0, 64);
  bind(&ranks[3], 0, 64);
  judge();
  CU_ASSERT_EQUAL(findings.count, 0);
  make_up(4, 2);
  for (int r = 0; r < 4; r++) {
    bind(&ranks[r], 0, 64);
    ranks[r].threads = 64;
  }
  expect(HEED_DOUBTFUL, "0 1 2 3", "128 threads on 64 processors (0-63), and too many in 1 more place");
  make_up(4, 2); /* a container's share of the processors' time */
  ranks[2].processor_limit = ranks[3].processor_limit = 8;
  expect(HEED_DOUBTFUL, "2 3", "64 threads on 8 processors (0-63)");
  make_up(3, 3); /* two that share a core beside one that does not */
  bind(&ranks[0], 0, 1);
  bind(&ranks[1], 0, 1);
  for (int r = 0; r < 3; r++)
    ranks[r].threads = 1;
  expect(HEED_DOUBTFUL, "0 1", "2 threads on 1 processor (0)");
}

static void busy_machines_are_doubtful(void) {
  make_up(4, 2);
  for (int r = 0; r < 4; r++)
    ranks[r].load = 7.3; /* a launch's own */
  judge();
  CU_ASSERT_EQUAL(findings.count, 0);
  ranks[2].load = ranks[3].load = 9.5;
  expect(HEED_DOUBTFUL, "2 3", "ranks 2–3 (node01): the machine is busy: a load of 9.5 on its 64 processors in the last minute");
}

static void little_memory_is_doubtful(void) {
  make_up(4, 2);
  ranks[2].memory_free = ranks[3].memory_free = (uint64_t)3 << 29; /* 1.5 GiB for two ranks of 1 GiB */
  expect(HEED_DOUBTFUL, "2 3", "low memory: the ranks of a machine want 2.0 GiB, and 1.5 GiB are free");
  make_up(4, 2);
  ranks[0].memory_limit = (uint64_t)1 << 30;
  expect(HEED_DOUBTFUL, "0 1", "want 2.0 GiB, and 1.0 GiB are free");
  make_up(2, 1);
  job.run = NULL;
  ranks[0].plan_bytes = ranks[1].plan_bytes = 0;
  ranks[1].memory_free = 100 << 20;
  expect(HEED_DOUBTFUL, "1", "100.0 MiB are free");
  make_up(4, 2);
  ranks[0].shared_free = ranks[1].shared_free = 1 << 20;
  expect(HEED_DOUBTFUL, "0 1", "little room in /dev/shm, where ranks of a machine share memory: 1.0 MiB free, 26.0 MiB wanted");
  ranks[0].shared_free = ranks[1].shared_free = 64 << 20;
  judge();
  CU_ASSERT_EQUAL(findings.count, 0);
  ranks[0].plan_shared = ranks[1].plan_shared = 1 << 30;
  expect(HEED_DOUBTFUL, "0 1", "64.0 MiB free, 2.0 GiB wanted");
  make_up(2, 1);
  ranks[0].shared_free = 0; /* a rank alone on its machine shares nothing */
  judge();
  CU_ASSERT_EQUAL(findings.count, 0);
  make_up(2, 1);
  strcpy(ranks[1].plan_error, "too large");
  ranks[1].plan_bytes = 0;
  expect(HEED_WRONG, "1", "the run cannot be planned: too large");
}

static void other_times_are_doubtful(void) {
  make_up(4, 2);
  ranks[2].clock_offset = ranks[3].clock_offset = -2.5;
  ranks[2].clock_uncertainty = ranks[3].clock_uncertainty = 0.001;
  expect(HEED_DOUBTFUL, "2 3", "ranks 2–3 (node01): the clock is 2.5 s behind that of rank 0");
  ranks[2].clock_uncertainty = ranks[3].clock_uncertainty = 2; /* so far off that nothing is sure */
  judge();
  CU_ASSERT_EQUAL(findings.count, 0);
  ranks[2].clock_offset = ranks[3].clock_offset = 0.9;
  ranks[2].clock_uncertainty = ranks[3].clock_uncertainty = 0;
  judge();
  CU_ASSERT_EQUAL(findings.count, 0);
}

static void slow_links_are_doubtful(void) {
  double median;
  make_up(8, 2); /* within machines 0–1, 2–3 …; between them 1–2, 3–4, 5–6 */
  ranks[1].link_rate = ranks[3].link_rate = ranks[5].link_rate = 1e9;
  judge();
  CU_ASSERT_EQUAL(findings.count, 0); /* a network is slower than memory */
  CU_ASSERT_EQUAL(heed_doctor_slowest_link(&job, false, &median), 0);
  CU_ASSERT_EQUAL(median, 5e9);
  ranks[5].link_rate = 0.2e9;
  ranks[5].link_seconds = 30e-6;
  expect(HEED_DOUBTFUL, "5 6",
         "slow link: rank 5 (node02) to rank 6 (node03), 0.200 GB/s and 30.0 µs; the median between machines is 1.000 GB/s");
  CU_ASSERT_EQUAL(heed_doctor_slowest_link(&job, true, &median), 5);
  CU_ASSERT_EQUAL(median, 1e9);
  ranks[5].link_rate = 1e9;
  ranks[2].link_rate = 1e9;
  expect(HEED_DOUBTFUL, "2 3", "the median within machines is 5.000 GB/s");
  make_up(2, 1);
  ranks[0].link_rate = 5e7; /* slow beside none */
  expect(HEED_DOUBTFUL, "0 1", "slow link: rank 0 (node00) to rank 1 (node01), 0.050 GB/s");
  make_up(2, 2);
  CU_ASSERT_EQUAL(heed_doctor_slowest_link(&job, true, &median), -1);
}

static void run_folders_are_judged(void) {
  make_up(4, 2);
  strcpy(run.error, "/shared: the folder cannot be written: Permission denied");
  expect(HEED_WRONG, "", "the run folder cannot be used: /shared: the folder cannot be written");
  make_up(4, 2);
  ranks[2].sight = ranks[3].sight = HEED_UNSEEN;
  expect(HEED_DOUBTFUL, "2 3", "ranks 2–3 (node01): the run folder /shared/run is not shared");
  make_up(4, 2);
  ranks[2].lock_is_its_own = true;
  expect(HEED_DOUBTFUL, "2", "the lock of /shared/run, which rank 0 holds, is given here too");
  make_up(4, 2);
  run.lock = HEED_LOCK_NONE;
  expect(HEED_DOUBTFUL, "", "(nfs4) has no locks: a heartbeat stands in");
  run.lock = HEED_LOCK_TAKEN;
  expect(HEED_DOUBTFUL, "", "gives one lock twice");
  make_up(4, 2);
  strcpy(run.file_system, "tmpfs");
  expect(HEED_DOUBTFUL, "", "the run folder /shared/run is in memory (tmpfs)");
  make_up(4, 2);
  run.free_bytes = ((uint64_t)4 << 30) - 1; /* a byte less than four of 1 GiB */
  expect(HEED_DOUBTFUL, "", "little room for checkpoints: 4.0 GiB free at /shared/run, and 4 of 1.0 GiB each may lie there at once");
  run.free_bytes = ((uint64_t)1 << 30) - 1; /* not even one */
  expect(HEED_WRONG, "", "little room for checkpoints");
  strcpy(run.error, "no"); /* of a folder that is none nothing more is said */
  expect(HEED_WRONG, "", "the run folder cannot be used: no");
  run.error[0] = 0;
  run.free_bytes = (uint64_t)4 << 30;
  judge();
  CU_ASSERT_EQUAL(findings.count, 0);
  make_up(3, 2);
  job.ranks_refused = "8 slices run on 1, 2, 4 or 8 ranks, not 3";
  expect(HEED_WRONG, "", "8 slices run on 1, 2, 4 or 8 ranks, not 3");
}

/* Several at once: what is wrong comes first, and is counted. */
static void wrong_comes_first(void) {
  make_up(4, 2);
  ranks[3].threads = 16;
  ranks[2].build++;
  strcpy(run.file_system, "tmpfs");
  strcpy(run.error, "no");
  judge();
  CU_ASSERT_EQUAL_FATAL(findings.count, 4);
  CU_ASSERT_EQUAL(findings.wrong, 2);
  CU_ASSERT_PTR_NOT_NULL(strstr(findings.items[0].what, "builds"));
  CU_ASSERT_PTR_NOT_NULL(strstr(findings.items[1].what, "run folder cannot"));
  CU_ASSERT_PTR_NOT_NULL(strstr(findings.items[2].what, "threads"));
  CU_ASSERT_PTR_NOT_NULL(strstr(findings.items[3].what, "memory"));
}

/* 1,024 ranks with as many builds: told in a text of bounded length, with the first of them. */
static void many_differences_are_told_briefly(void) {
  make_up(MOST, 8);
  for (int r = 0; r < MOST; r++)
    ranks[r].build = (uint64_t)r + 1;
  judge();
  CU_ASSERT_EQUAL_FATAL(findings.count, 1);
  CU_ASSERT_EQUAL(findings.items[0].count, MOST - 1);
  CU_ASSERT(strlen(findings.items[0].what) < 700);
  CU_ASSERT_PTR_NOT_NULL(strstr(findings.items[0].what, "1021 others, and 0.1.0"));
}

static void alike_ranks_are_folded(void) {
  heed_doctor_row *rows;
  int count;
  make_up(64, 4);
  ranks[5].memory_free = (uint64_t)1 << 33;
  ranks[9].clock_offset = 0.25;
  ranks[9].clock_uncertainty = 0.001;
  CU_ASSERT_EQUAL_FATAL(heed_doctor_fold(&rows, &count, &job), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(count, 1);
  CU_ASSERT_EQUAL(rows[0].count, 64);
  CU_ASSERT_STRING_EQUAL(rows[0].cells[0], "0–63");
  CU_ASSERT_STRING_EQUAL(rows[0].cells[1], "node00 … node15 (16)");
  CU_ASSERT_STRING_EQUAL(rows[0].cells[2], "0.1.0 Release abcdef01");
  CU_ASSERT_STRING_EQUAL(rows[0].cells[6], "16 each of 64: 16 cores, 1 package, 1 NUMA node");
  CU_ASSERT_STRING_EQUAL(rows[0].cells[7], "8.0 GiB free");
  CU_ASSERT_STRING_EQUAL(rows[0].cells[9], "+0.250000 ± 0.001000 s");
  free(rows);
  ranks[7].threads = 1;
  ranks[8].threads = 1;
  strcpy(ranks[40].mpi, "another");
  CU_ASSERT_EQUAL_FATAL(heed_doctor_fold(&rows, &count, &job), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(count, 3);
  CU_ASSERT_STRING_EQUAL(rows[0].cells[0], "0–6, 9–39, 41–63");
  CU_ASSERT_STRING_EQUAL(rows[1].cells[0], "7–8");
  CU_ASSERT_STRING_EQUAL(rows[1].cells[1], "node01, node02");
  CU_ASSERT_STRING_EQUAL(rows[2].cells[0], "40");
  CU_ASSERT_STRING_EQUAL(rows[2].cells[6], "0-15 of 64: 16 cores, 1 package, 1 NUMA node");
  CU_ASSERT_EQUAL(rows[2].first, 40);
  free(rows);
}

static void names_are_cut_where_there_is_no_room(void) {
  int some[64];
  char text[24];
  for (int i = 0; i < 64; i++)
    some[i] = 2 * i;
  heed_doctor_name_ranks(text, sizeof text, some, 64);
  CU_ASSERT_STRING_EQUAL(text, "ranks 0, 2, 4, 6, …");
  heed_doctor_name_ranks(text, sizeof text, some + 5, 1);
  CU_ASSERT_STRING_EQUAL(text, "rank 10");
  heed_doctor_name_bytes(text, 1023);
  CU_ASSERT_STRING_EQUAL(text, "1023 B");
  heed_doctor_name_bytes(text, (uint64_t)5 << 42);
  CU_ASSERT_STRING_EQUAL(text, "20.0 TiB");
  heed_doctor_name_bytes(text, SIZE_MAX);
  CU_ASSERT_STRING_EQUAL(text, "?");
  heed_findings_free(&findings);
}

HEED_TESTS({"sound jobs are fine", sound_jobs_are_fine}, {"other programs are wrong", other_programs_are_wrong},
           {"other files are wrong", other_files_are_wrong}, {"other processors are doubtful", other_processors_are_doubtful},
           {"crowds are doubtful", crowds_are_doubtful}, {"busy machines are doubtful", busy_machines_are_doubtful},
           {"little memory is doubtful", little_memory_is_doubtful}, {"other times are doubtful", other_times_are_doubtful},
           {"slow links are doubtful", slow_links_are_doubtful}, {"run folders are judged", run_folders_are_judged},
           {"wrong comes first", wrong_comes_first}, {"many differences are told briefly", many_differences_are_told_briefly},
           {"alike ranks are folded", alike_ranks_are_folded},
           {"names are cut where there is no room", names_are_cut_where_there_is_no_room})
