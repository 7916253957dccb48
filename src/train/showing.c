#include "train/showing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate/generator.h"
#include "evaluate/likeliest.h"

enum { TEXTS = 3, PROMPT = 12, MADE = 40 }; /* texts shown; tokens given and made of a continuation */

static const heed_sampling usual = {.temperature = 0.8, .top_p = 0.95};

struct heed_showing {
  heed_showing_spec spec;
  heed_batch batch;          /* one slice of the data */
  int32_t *predicted;        /* [sequence_length] of its first row's targets */
  heed_generator *generator; /* of next tokens */
  heed_sample_part *parts;   /* of one sample after the other */
  int64_t count, capacity;
};

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

heed_status heed_showing_create(heed_showing **result, const heed_showing_spec *spec) {
  const heed_train_config *train = &spec->config->train;
  heed_showing *s = calloc(1, sizeof *s);
  if (!s)
    return heed_error(HEED_FAILED, "out of memory for samples");
  s->spec = *spec;
  heed_status status = heed_sampler_create_batch(spec->sampler, &s->batch, 1);
  s->predicted = malloc((size_t)train->sequence_length * sizeof *s->predicted);
  if (status == HEED_OK && !s->predicted)
    status = heed_error(HEED_FAILED, "out of memory for samples");
  heed_generator_spec generator = {.model = spec->model,
                                   .tokenizer = spec->tokenizer,
                                   .sequences = 1,
                                   .length = least(train->sequence_length, PROMPT + MADE),
                                   .vocabulary_size = spec->config->model.vocabulary_size};
  if (status == HEED_OK && spec->config->objective.predict == HEED_PREDICT_NEXT_TOKEN)
    status = heed_generator_create(&s->generator, &generator);
  if (status != HEED_OK) {
    heed_showing_free(s);
    return status;
  }
  *result = s;
  return HEED_OK;
}

/* The texts of parts are this file's, though a report only reads them. */
static void clear(heed_showing *s) {
  for (int64_t i = 0; i < s->count; i++) {
    free((char *)s->parts[i].text);
    free((char *)s->parts[i].actual);
  }
  s->count = 0;
}

void heed_showing_free(heed_showing *s) {
  if (!s)
    return;
  clear(s);
  heed_batch_free(&s->batch);
  heed_generator_free(s->generator);
  free(s->predicted);
  free(s->parts);
  free(s);
}

/* Adds a part; takes the texts.  False when memory is short. */
static bool add_part(heed_showing *s, char *text, heed_sample_kind kind, char *actual) {
  if (s->count == s->capacity) {
    int64_t capacity = 2 * s->capacity + 64;
    heed_sample_part *parts = realloc(s->parts, (size_t)capacity * sizeof *parts);
    if (parts) {
      s->parts = parts;
      s->capacity = capacity;
    }
  }
  if (!text || s->count == s->capacity) {
    free(text);
    free(actual);
    return false;
  }
  s->parts[s->count++] = (heed_sample_part){text, kind, actual};
  return true;
}

static char *text_of(const heed_showing *s, const int32_t *ids, int64_t first, int64_t count) {
  char *text;
  size_t bytes;
  return heed_tokenizer_decode_behind(s->spec.tokenizer, ids, first, count, &text, &bytes) == HEED_OK ? text : NULL;
}

/* A token as it stands in a text: with the space before it, unless it goes on a word. */
static char *token_text(const heed_showing *s, int32_t id, bool first) {
  const char *token = heed_tokenizer_token(s->spec.tokenizer, id);
  bool joined = heed_tokenizer_is_continuation(s->spec.tokenizer, id);
  char *text;
  return asprintf(&text, "%s%s", joined || first ? "" : " ", joined ? token + 2 : token) < 0 ? NULL : text;
}

static void predict(void *self, const float *logits, int64_t first, int64_t rows) {
  heed_showing *s = self;
  int64_t vocabulary = s->spec.config->model.vocabulary_size;
  for (int64_t m = 0; m < rows; m++) {
    heed_prediction likeliest;
    heed_likeliest(&likeliest, 1, logits + m * vocabulary, vocabulary);
    s->predicted[first + m] = likeliest.id;
  }
}

/* The parts of the batch's first row, its targets filled in; those of the other rows are left out.  False when memory is short. */
static bool fill_first_row(heed_showing *s, const float *parameters) {
  const heed_stream *stream = &s->batch.stream;
  int64_t targets = 0, m = 0, first = 1;
  while (targets < s->batch.targets && s->batch.target_tokens[targets] < stream->offsets[1])
    targets++;
  s->batch.targets = s->batch.slice_targets[1] = targets;
  heed_model_score(s->spec.model, parameters, &s->batch, predict, s);
  for (int64_t t = first; t < stream->offsets[1] - 1; t++) { /* between [CLS] and the last [SEP] */
    bool begins = t == first;
    if (m == s->batch.targets || s->batch.target_tokens[m] != t) {
      if (!add_part(s, token_text(s, stream->ids[t], begins), HEED_SAMPLE_GIVEN, NULL))
        return false;
      continue;
    }
    int32_t actual = s->batch.target_ids[m], predicted = s->predicted[m++];
    bool right = predicted == actual;
    if (!add_part(s, token_text(s, predicted, begins), right ? HEED_SAMPLE_RIGHT : HEED_SAMPLE_WRONG,
                  right ? NULL : token_text(s, actual, true)))
      return false;
  }
  return true;
}

/* Whether a text or a line of it ends with this token. */
static bool ends_line(const heed_showing *s, int32_t id) {
  char *text = text_of(s, &id, 0, 1);
  bool ends = id == heed_tokenizer_special(s->spec.tokenizer)->separate || (text && strchr(text, '\n'));
  free(text);
  return ends;
}

/* Where in row b a text or a line begins, with a prompt's tokens behind it; else its first token. */
static int64_t beginning(const heed_showing *s, int64_t b) {
  const heed_stream *stream = &s->batch.stream;
  for (int64_t t = stream->offsets[b]; t + PROMPT < stream->offsets[b + 1]; t++)
    if (ends_line(s, stream->ids[t]))
      return t + 1;
  return stream->offsets[b];
}

/* The parts of a continuation of the first tokens that begin something in row b. */
static bool continue_row(heed_showing *s, int64_t b, const float *parameters) {
  const heed_stream *stream = &s->batch.stream;
  int32_t ids[PROMPT + MADE];
  int64_t first = beginning(s, b), given = least(least(PROMPT, stream->offsets[b + 1] - first), s->spec.config->train.sequence_length - 1);
  heed_continuation text = {.ids = ids, .count = given, .prompt = given};
  if (given < 1)
    return true;
  memcpy(ids, stream->ids + first, (size_t)given * sizeof *ids);
  if (heed_generator_run(s->generator, parameters, &text, 1, MADE, &usual, NULL, NULL) != HEED_OK)
    return false;
  int64_t skipped = ids[0] == heed_tokenizer_special(s->spec.tokenizer)->separate; /* a new text begins so; nobody wants to read it */
  return add_part(s, text_of(s, ids + skipped, 0, given - skipped), HEED_SAMPLE_GIVEN, NULL) &&
         add_part(s, text_of(s, ids + skipped, given - skipped, text.count - skipped), HEED_SAMPLE_MADE, NULL);
}

/* Reads the slice that text number i is the first row of: spread over the data, which is read in its own order. */
static bool read_text(heed_showing *s, int64_t i) {
  int64_t batch = s->spec.config->train.batch_sequences, batches = (heed_sampler_samples(s->spec.sampler) + batch - 1) / batch;
  if (i > 0 && i * batches / TEXTS == (i - 1) * batches / TEXTS) /* there is too little data */
    return false;
  heed_sampler_read(s->spec.sampler, &s->batch, (uint32_t)(i * batches / TEXTS), 0, 1);
  return s->batch.stream.sequences > 0;
}

void heed_showing_make(heed_showing *s, const float *parameters, int64_t step, heed_report *report) {
  heed_sample samples[TEXTS];
  int64_t ends[TEXTS], made = 0;
  if (!s)
    return;
  clear(s);
  for (int64_t i = 0; i < TEXTS && read_text(s, i); i++) {
    bool good = s->generator ? continue_row(s, 0, parameters) : fill_first_row(s, parameters);
    if (s->spec.tensor->maximum(s->spec.tensor, !good) != 0) /* what one cannot go on with, none does */
      break;
    ends[made++] = s->count;
  }
  for (int64_t i = 0; i < made; i++) {
    int64_t first = i > 0 ? ends[i - 1] : 0;
    samples[i] = (heed_sample){.parts = s->parts + first, .count = ends[i] - first};
  }
  if (made > 0)
    heed_report_samples(report, step, samples, made);
}
