/* heed bench: how fast training and its parts run here, held against what this machine can do. */
#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_tokenizer.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "comm/peer.h"
#include "comm/world.h"
#include "heed/config.h"
#include "measure/allreduce.h"
#include "measure/attention.h"
#include "measure/gemm.h"
#include "measure/step.h"
#include "models/level.h"

typedef struct bench_options {
  const char *what, *config, *data, *vocabulary;
  heed_settings settings, texts;
  heed_counts lengths;
  int64_t steps, warmup, largest; /* largest: MB */
  heed_precision precision;
  bool has_precision, causal, cased, json;
} bench_options;

/* Where a measurement runs. */
typedef struct place {
  heed_communication *world;
  const heed_kernels *kernels;
  int threads;
} place;

enum { CAUSAL = 256, LARGEST }; /* options without a letter */
enum { LARGEST_MB = 512 };

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "print JSON", 0},
    {"steps", 'S', "N", 0, "step: steps that count (default: 20)", 0},
    {"warmup", 'w', "N", 0, "step: steps before them (default: 3)", 0},
    {"precision", 'p', "fp32|bf16", 0, "gemm, attention: what is multiplied (default: fp32); of a step: --set train.precision=…", 0},
    {"causal", CAUSAL, NULL, 0, "attention: a token sees those before it and itself only", 0},
    {"largest", LARGEST, "MB", 0, "allreduce: sizes up to this one (default: 512, which is the most)", 0},
    {"data", 'd', "FILE.h5", 0,
     "step: token shard to read, made with data.vocabulary (--set data.vocabulary=…); without it rows are made up and no file is opened",
     0},
    {"lengths", 'l', "N,N,…", 0, "step: tokens of the rows made up, again from the first when they are used up (default: all full)", 0},
    {"vocab", 'v', "VOCAB", 0,
     "tokenizer: the vocabulary, a vocab.txt or a folder with vocab.json and merges.txt (default: the configuration's; else each kind is "
     "trained on the text)",
     0},
    {"cased", 'c', NULL, 0, "tokenizer: keep upper case and accents", 0},
    {"text", 't', "FILE", 0, "tokenizer: text to read, as often as wanted (default: 8 MB of words made up)", 0},
    {"set", 's', "KEY=VALUE", 0, "step, tokenizer: replace a value of the configuration; as often as wanted", 0},
    {0}};

/* BERT-mini as it was released, on rows of 128 tokens: what `bench step` measures when no configuration is given. */
static const char usual_config[] = "run: {name: bench}\n"
                                   "model: {family: bert, vocabulary_size: 30522, layers: 4, hidden: 256, heads: 4, feed_forward: 1024}\n"
                                   "train: {steps: 1000, sequence_length: 128, batch_sequences: 32, slices: 8}\n"
                                   "optimizer: {learning_rate: 1.0e-4}\n";

static error_t parse_precision(struct argp_state *state, const char *value, bench_options *o) {
  o->has_precision = true;
  for (o->precision = HEED_FP32; o->precision <= HEED_BF16; o->precision++)
    if (strcmp(value, heed_precision_name(o->precision)) == 0)
      return 0;
  argp_error(state, "--precision takes fp32 or bf16, not '%s'", value);
  return 0;
}

static error_t parse(int key, char *value, struct argp_state *state) {
  bench_options *o = state->input;
  switch (key) {
  case 'j':
    o->json = true;
    return 0;
  case CAUSAL:
    o->causal = true;
    return 0;
  case LARGEST:
    return heed_option_count(state, "--largest", value, &o->largest);
  case 'S':
    return heed_option_count(state, "--steps", value, &o->steps);
  case 'w':
    return heed_option_count(state, "--warmup", value, &o->warmup);
  case 'p':
    return parse_precision(state, value, o);
  case 'd':
    o->data = value;
    return 0;
  case 'l':
    return heed_option_counts(state, "--lengths", value, &o->lengths);
  case 'v':
    o->vocabulary = value;
    return 0;
  case 'c':
    o->cased = true;
    return 0;
  case 't':
    return heed_option_add(value, &o->texts);
  case 's':
    return heed_option_set(state, value, &o->settings);
  case ARGP_KEY_ARG:
    if (state->arg_num == 0)
      o->what = value;
    else if (state->arg_num == 1)
      o->config = value;
    else
      argp_error(state, "'%s' is one argument too many", value);
    return 0;
  case ARGP_KEY_END:
    if (!o->what)
      argp_error(state, "what to measure is needed: step, gemm, attention, allreduce or tokenizer");
    if (o->largest > LARGEST_MB)
      argp_error(state, "--largest takes at most %d", LARGEST_MB);
    if (o->data && o->lengths.count > 0)
      argp_error(state, "--lengths is for rows made up; those of --data have their own");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static heed_status read_config(const bench_options *o, heed_config *config) {
  if (o->config)
    return heed_config_read(config, o->config, o->settings.items, o->settings.count);
  return heed_config_parse(config, usual_config, "bert-mini", o->settings.items, o->settings.count);
}

static heed_status print_step(const bench_options *o, const place *p, const char *precision, const heed_step_speed *r) {
  if (o->json)
    return heed_print_json(json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:s, s:i, s:i, s:I, s:I, s:f, s:f}", "tokens_per_second",
                                     r->tokens_per_second, "step_ms_median", r->step_ms_median, "model_flops_per_step", r->flops_per_step,
                                     "gflops", r->flops_per_second / 1e9, "ceiling_gflops", r->ceiling / 1e9, "fraction_of_ceiling",
                                     r->flops_per_second / r->ceiling, "isa", p->kernels->isa, "precision", precision, "threads",
                                     p->threads, "ranks", p->world->size, "peak_rss_bytes", (json_int_t)r->peak_bytes, "parameters",
                                     (json_int_t)r->parameters, "waited_share", r->waited_share, "exposed_share", r->exposed_share));
  printf("tokens/s      %.0f\n", r->tokens_per_second);
  printf("step          %.2f ms, the median of %lld\n", r->step_ms_median, (long long)o->steps);
  printf("arithmetic    %.2f GFLOP a step, %.1f GFLOP/s\n", r->flops_per_step / 1e9, r->flops_per_second / 1e9);
  printf("ceiling       %.1f GFLOP/s of multiply-adds in registers; the step reaches %.1f%%\n", r->ceiling / 1e9,
         100 * r->flops_per_second / r->ceiling);
  printf("memory        %.0f MiB of a rank at most, %.2f million parameters\n", (double)r->peak_bytes / 1048576,
         (double)r->parameters / 1e6);
  if (o->data)
    printf("waiting       %.2f%% of the time, for data\n", 100 * r->waited_share);
  if (p->world->size > 1)
    printf("exchange      %.2f%% of the time, besides what goes on during backward\n", 100 * r->exposed_share);
  printf("on            %d rank%s × %d thread%s, %s, %s\n", p->world->size, p->world->size > 1 ? "s" : "", p->threads,
         p->threads > 1 ? "s" : "", p->kernels->isa, precision);
  return HEED_OK;
}

static heed_status bench_step(const bench_options *o, const place *p) {
  heed_config config = {0};
  heed_step_speed speed;
  heed_status status = p->world->agree(p->world, read_config(o, &config));
  if (status == HEED_OK)
    status = heed_world_check_ranks(config.train.slices, config.parallel.tensor, p->world->size, "mpirun -n");
  if (status == HEED_OK)
    status = heed_world_divide(p->world, (int)config.parallel.tensor);
  heed_step_spec spec = {.config = &config,
                         .kernels = p->kernels,
                         .communication = p->world,
                         .ranks_on_node = heed_world_node(p->world).size,
                         .data = o->data,
                         .lengths = {o->lengths.values, o->lengths.count},
                         .warmup = o->warmup,
                         .steps = o->steps};
  if (status == HEED_OK)
    status = heed_step_measure(&speed, &spec);
  if (status == HEED_OK && p->world->rank == 0)
    status = print_step(o, p, heed_precision_name(config.train.precision), &speed);
  heed_config_free(&config);
  return status;
}

static heed_status bench_gemm(const bench_options *o, const place *p) {
  enum { COUNT = HEED_GEMM_SHAPES * HEED_GEMM_FORMS };
  heed_gemm_result results[COUNT];
  HEED_TRY(
      heed_gemm_measure(results, heed_gemm_shapes, HEED_GEMM_SHAPES, o->precision, p->kernels, p->world, heed_world_node(p->world).size));
  if (p->world->rank != 0)
    return HEED_OK;
  bool peer = o->precision == HEED_FP32;
  if (o->json) {
    json_t *list = json_array();
    for (int i = 0; i < COUNT; i++) {
      json_t *entry = json_pack("{s:I, s:I, s:I, s:s, s:s, s:f, s:f}", "m", (json_int_t)results[i].m, "n", (json_int_t)results[i].n, "k",
                                (json_int_t)results[i].k, "trans", results[i].trans, "precision", heed_precision_name(o->precision),
                                "gflops", results[i].flops_per_second / 1e9, "ceiling_gflops", results[i].ceiling / 1e9);
      if (peer)
        json_object_set_new(entry, "openblas_gflops", json_real(results[i].peer / 1e9));
      json_array_append_new(list, entry);
    }
    return heed_print_json(list);
  }
  printf("%6s %6s %6s  form  %9s  of ceiling%s\n", "m", "n", "k", "GFLOP/s", peer ? "   OpenBLAS" : "");
  for (int i = 0; i < COUNT; i++) {
    printf("%6lld %6lld %6lld  %s    %9.1f  %9.1f%%", (long long)results[i].m, (long long)results[i].n, (long long)results[i].k,
           results[i].trans, results[i].flops_per_second / 1e9, 100 * results[i].flops_per_second / results[i].ceiling);
    if (peer)
      printf("  %9.1f", results[i].peer / 1e9);
    putchar('\n');
  }
  printf("NT forward, NN gradient of the input, TN gradient of the weight; %d rank%s × %d thread%s, %s\n", p->world->size,
         p->world->size > 1 ? "s" : "", p->threads, p->threads > 1 ? "s" : "", heed_precision_name(o->precision));
  return HEED_OK;
}

static heed_status bench_attention(const bench_options *o, const place *p) {
  heed_attention_result results[HEED_ATTENTION_LENGTHS];
  const char *precision = heed_precision_name(o->precision);
  HEED_TRY(heed_attention_measure(results, o->precision, o->causal, p->kernels, p->world));
  if (p->world->rank != 0)
    return HEED_OK;
  json_t *list = o->json ? json_array() : NULL;
  if (!o->json)
    printf("%8s %6s  %11s  %12s  %9s  of ceiling\n", "sequence", "batch", "forward, ms", "backward, ms", "GFLOP/s");
  for (int i = 0; i < HEED_ATTENTION_LENGTHS; i++) {
    const heed_attention_result *r = &results[i];
    double forward = 1e3 * r->seconds_forward, backward = 1e3 * r->seconds_backward;
    if (o->json)
      json_array_append_new(list, json_pack("{s:I, s:I, s:i, s:i, s:s, s:b, s:f, s:f, s:f, s:f}", "sequence_length",
                                            (json_int_t)r->sequence_length, "batch", (json_int_t)r->batch, "heads", HEED_ATTENTION_HEADS,
                                            "head_width", HEED_ATTENTION_HEAD_WIDTH, "precision", precision, "causal", o->causal,
                                            "ms_forward", forward, "ms_backward", backward, "gflops", r->flops_per_second / 1e9,
                                            "ceiling_gflops", r->ceiling / 1e9));
    else
      printf("%8lld %6lld  %11.2f  %12.2f  %9.1f  %9.1f%%\n", (long long)r->sequence_length, (long long)r->batch, forward, backward,
             r->flops_per_second / 1e9, 100 * r->flops_per_second / r->ceiling);
  }
  if (o->json)
    return heed_print_json(list);
  printf("%d heads of %d, dropout 0.1%s; %d rank%s × %d thread%s, %s\n", HEED_ATTENTION_HEADS, HEED_ATTENTION_HEAD_WIDTH,
         o->causal ? ", causal" : "", p->world->size, p->world->size > 1 ? "s" : "", p->threads, p->threads > 1 ? "s" : "", precision);
  return HEED_OK;
}

/* Rates as others give them: the size over the time, and what crosses each rank's link, 2(P − 1)/P of the size. */
static heed_status print_allreduce_json(const heed_allreduce_result *r, int ranks, double share) {
  json_t *list = json_array(), *left_out = json_array();
  for (int i = r->count; i < r->wanted; i++)
    json_array_append_new(left_out, json_integer((json_int_t)1 << (20 + i)));
  for (int i = 0; i < r->count; i++) {
    const heed_allreduce_size *size = &r->sizes[i];
    double rate = (double)size->bytes / size->seconds / 1e9;
    json_array_append_new(list, json_pack("{s:I, s:f, s:f, s:f, s:f, s:f}", "bytes", (json_int_t)size->bytes, "seconds", size->seconds,
                                          "gigabytes_per_second", rate, "link_gigabytes_per_second", share * rate, "mpi_seconds",
                                          size->peer_seconds, "ratio", size->ratio));
  }
  return heed_print_json(json_pack("{s:i, s:f, s:s, s:f, s:o, s:o}", "ranks", ranks, "latency_seconds", r->network.latency, "latency_from",
                                   r->latency_apart ? "smallest sums" : "fit", "bandwidth_bytes_per_second", r->network.bandwidth,
                                   "left_out", left_out, "sizes", list));
}

static heed_status bench_allreduce(const bench_options *o, const place *p) {
  heed_allreduce_result r;
  heed_allreduce_spec spec = {.communication = p->world,
                              .peer = heed_peer_allreduce,
                              .ranks_on_node = heed_world_node(p->world).size,
                              .largest = (o->largest > 0 ? o->largest : LARGEST_MB) << 20};
  const int ranks = p->world->size;
  double share = 2.0 * (ranks - 1) / ranks;
  HEED_TRY(heed_allreduce_measure(&r, &spec));
  if (p->world->rank != 0)
    return HEED_OK;
  if (o->json)
    return print_allreduce_json(&r, ranks, share);
  printf("%10s  %10s  %8s  %14s  %10s  %s\n", "size, MB", "time, ms", "GB/s", "GB/s of a link", "MPI's, ms", "faster than MPI's");
  for (int i = 0; i < r.count; i++) {
    const heed_allreduce_size *size = &r.sizes[i];
    double rate = (double)size->bytes / size->seconds / 1e9;
    printf("%10lld  %10.3f  %8.2f  %14.2f  %10.3f  %16.2f×\n", (long long)(size->bytes >> 20), 1e3 * size->seconds, rate, share * rate,
           1e3 * size->peer_seconds, size->ratio);
  }
  if (r.count < r.wanted)
    printf("left out: %d MB and more, which a third of this machine's memory does not hold twice a rank\n", 1 << r.count);
  printf("%d ranks; MPI's: MPI_Allreduce, in turn with ours\n", ranks);
  printf("network       latency %.1f µs%s, bandwidth %.2f GB/s (%.1f Gbit/s): heed plan … --network %.1f,%.1f\n", 1e6 * r.network.latency,
         r.latency_apart ? " (of sums of 64 bytes a rank; the times above show none)" : "", r.network.bandwidth / 1e9,
         8 * r.network.bandwidth / 1e9, 1e6 * r.network.latency, 8 * r.network.bandwidth / 1e9);
  return HEED_OK;
}

static heed_status bench_tokenizer(const bench_options *o, const place *p) {
  heed_config config = {0};
  if (p->world->size > 1)
    return heed_error(HEED_INVALID, "heed bench tokenizer measures one process and all its threads: leave mpirun away");
  if (o->config)
    HEED_TRY(read_config(o, &config));
  const char *vocabulary = o->vocabulary ? o->vocabulary : config.data.vocabulary;
  heed_status status = HEED_OK;
  if (o->config && !vocabulary)
    status = heed_error(HEED_INVALID, "%s: data.vocabulary is missing; --vocab names another", o->config);
  if (status == HEED_OK)
    status = heed_bench_tokenizer(&(heed_bench_tokenizer_options){.vocabulary = vocabulary,
                                                                  .texts = o->texts.items,
                                                                  .text_count = o->texts.count,
                                                                  .threads = p->threads,
                                                                  .cased = o->cased,
                                                                  .json = o->json});
  heed_config_free(&config);
  return status;
}

static const struct {
  const char *name;
  heed_status (*run)(const bench_options *o, const place *p);
} benches[] = {{"step", bench_step},
               {"gemm", bench_gemm},
               {"attention", bench_attention},
               {"allreduce", bench_allreduce},
               {"tokenizer", bench_tokenizer}};
enum { BENCHES = sizeof benches / sizeof *benches };

/* What one measurement takes, another does not. */
static heed_status check_options(const bench_options *o, bool step, bool gemm, bool attention, bool allreduce, bool tokenizer) {
  if ((o->config || o->settings.count > 0) && !step && !tokenizer)
    return heed_error(HEED_USAGE, "heed bench %s takes no configuration and no --set", o->what);
  if ((o->data || o->lengths.count > 0) && !step)
    return heed_error(HEED_USAGE, "heed bench %s takes no --data and no --lengths: they are for step", o->what);
  if ((o->vocabulary || o->cased || o->texts.count > 0) && !tokenizer)
    return heed_error(HEED_USAGE, "heed bench %s takes no --vocab, no --cased and no --text: they are for tokenizer", o->what);
  if (o->largest > 0 && !allreduce)
    return heed_error(HEED_USAGE, "heed bench %s takes no --largest: it is for allreduce", o->what);
  if (o->causal && !attention)
    return heed_error(HEED_USAGE, "heed bench %s takes no --causal", o->what);
  if (o->has_precision && !gemm && !attention)
    return heed_error(HEED_USAGE, "heed bench %s takes no --precision%s", o->what, step ? "; --set train.precision=bf16 does that" : "");
  return HEED_OK;
}

static heed_status run(const bench_options *o, heed_communication *world) {
  place p = {.world = world};
  int i = 0;
  while (i < BENCHES && strcmp(benches[i].name, o->what) != 0)
    i++;
  if (i == BENCHES)
    return heed_error(HEED_USAGE, "heed bench: '%s' is nothing it measures; step, gemm, attention, allreduce and tokenizer are", o->what);
  HEED_TRY(check_options(o, benches[i].run == bench_step, benches[i].run == bench_gemm, benches[i].run == bench_attention,
                         benches[i].run == bench_allreduce, benches[i].run == bench_tokenizer));
  HEED_TRY(world->agree(world, heed_world_threads(world, &p.threads)));
  HEED_TRY(heed_level_agree(&p.kernels, world));
  return benches[i].run(o, &p);
}

heed_status heed_command_bench(int argc, char **argv) {
  static const struct argp argp = {
      options,
      parse,
      "step [CONFIG.yaml]\ngemm\nattention\nallreduce\ntokenizer [CONFIG.yaml]",
      "Measures how fast training and its parts run here, and what this machine can do at most.\v"
      "step       a whole training step on all ranks and threads: forward, backward, sum over ranks, optimizer.  Without CONFIG.yaml: "
      "BERT-mini with a vocabulary of 30,522 on 32 rows of 128 tokens.\n"
      "gemm       matrix products at the shapes of BERT, forward and both gradients\n"
      "attention  12 heads of 64 with dropout over 4,096 tokens, in sequences of 128, 512 and 2,048, forward and backward\n"
      "allreduce  the sum of gradients over ranks and its return, 1 to 512 MB, beside MPI_Allreduce; with the latency and bandwidth that "
      "fit the "
      "times; under mpirun.  How many times faster it is than MPI's is the median of pairs, one after the other\n"
      "tokenizer  text to ids, and text files to token shards, on all threads\n\n"
      "The ceiling is measured in the same run, before, between and after, and the highest counts; a result above it is an error.",
      0,
      0,
      0};
  bench_options o = {.steps = 20, .warmup = 3};
  heed_communication *world;
  heed_status status = heed_parse_options(&argp, argc, argv, &o);
  if (status == HEED_OK)
    status = heed_world_open(&world);
  if (status == HEED_OK)
    status = run(&o, world);
  heed_settings_free(&o.settings);
  heed_settings_free(&o.texts);
  free(o.lengths.values);
  return status;
}
