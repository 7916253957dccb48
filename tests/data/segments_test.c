#include "data/segments.h"

#include <math.h>
#include <stdio.h>

#include "data/corpus.h"
#include "heed/status.h"
#include "test.h"

static corpus_shape shape_of(int64_t documents, int64_t most_sentences, int64_t least_tokens, int64_t most_tokens, uint32_t seed) {
  return (corpus_shape){documents, most_sentences, least_tokens, most_tokens, 100, 5, false, seed};
}

/* Counts how often each token of a shard is in a range that the walk owns: all but random second segments. */
static void count_tokens(const heed_segments *segments, uint32_t shard, int32_t *count) {
  for (int64_t i = 0; i < segments->samples * segments->parts; i++) {
    heed_range range = segments->ranges[i];
    if (range.shard == shard && !range.is_random)
      for (uint32_t t = 0; t < range.length; t++)
        count[range.first + t]++;
  }
}

static void check_no_token_lost(const heed_segments *segments, const heed_shard *shards, int64_t shard_count) {
  for (int64_t s = 0; s < shard_count; s++) {
    int32_t *count = calloc((size_t)shards[s].token_count, sizeof *count);
    int64_t wrong = 0;
    count_tokens(segments, (uint32_t)s, count);
    for (int64_t t = 0; t < shards[s].token_count; t++)
      wrong += count[t] != 1;
    CU_ASSERT_EQUAL(wrong, 0);
    free(count);
  }
}

static void check_one_document(const heed_shard *shards, heed_range range) {
  const heed_shard *shard = &shards[range.shard];
  CU_ASSERT_FATAL(range.length > 0 && range.first >= 0 && range.first + range.length <= shard->token_count);
  CU_ASSERT_EQUAL(corpus_document_of(shard, range.first), corpus_document_of(shard, range.first + range.length - 1));
}

/* The first sentence edge behind `token`. */
static int64_t next_edge(const heed_shard *shard, int64_t token) {
  int64_t s = 0;
  while (shard->sentences[s] <= token)
    s++;
  return shard->sentences[s];
}

static void single(void) {
  for (uint32_t seed = 0; seed < 6; seed++) {
    int64_t room = seed < 3 ? 62 : 7; /* sentences of up to 30 tokens: with 7 many are longer than a row */
    corpus_shape shape = shape_of(60, 20, 1, 30, seed);
    heed_shard shard = corpus_shard(&shape);
    heed_segments segments;
    CU_ASSERT_FATAL(heed_segments_create(&segments, &shard, 1, &(heed_segments_rule){.room = room}) == HEED_OK);
    check_no_token_lost(&segments, &shard, 1);
    for (int64_t i = 0; i < segments.samples; i++) {
      heed_range range = segments.ranges[i];
      int64_t stop = range.first + range.length;
      check_one_document(&shard, range);
      CU_ASSERT(range.length <= room);
      bool last = stop == shard.token_count || corpus_document_of(&shard, stop) != corpus_document_of(&shard, range.first);
      /* It ends at a sentence's end, or is full of one sentence; and what comes next would not have fit. */
      CU_ASSERT(corpus_is_edge(&shard, stop) || (range.length == room && next_edge(&shard, range.first) > stop));
      CU_ASSERT(last || next_edge(&shard, stop) - range.first > room);
    }
    heed_segments_free(&segments);
    corpus_free(&shard);
  }
}

/* With sentences of one token a row is as long as it aims to be. */
static void short_share(void) {
  corpus_shape shape = shape_of(2, 1, 1, 1, 0);
  enum { TOKENS = 2000000, ROOM = 100 };
  heed_shard shard = corpus_shard(&shape);
  int64_t *sentences = calloc(TOKENS + 1, sizeof *sentences), documents[] = {0, TOKENS};
  for (int64_t s = 0; s <= TOKENS; s++)
    sentences[s] = s;
  heed_shard ones = shard;
  ones.sentences = sentences;
  ones.documents = documents;
  ones.document_count = 1;
  ones.sentence_count = ones.token_count = TOKENS;
  heed_segments segments;
  CU_ASSERT_FATAL(heed_segments_create(&segments, &ones, 1, &(heed_segments_rule){.room = ROOM, .short_probability = 0.1}) == HEED_OK);
  double shorter = 0, sum = 0, total = (double)(segments.samples - 1), p = 0.1 * 98 / 99; /* [2, 100]: 98 of 99 are shorter */
  for (int64_t i = 0; i + 1 < segments.samples; i++) {
    uint32_t length = segments.ranges[i].length;
    CU_ASSERT(length >= 2 && length <= ROOM);
    shorter += length < ROOM;
    sum += length < ROOM ? length : 0;
  }
  CU_ASSERT(fabs(shorter - total * p) < 4 * sqrt(total * p * (1 - p)));
  CU_ASSERT(fabs(sum / shorter - 50.5) < 4 * 28.3 / sqrt(shorter)); /* uniform on 2 … 99 */
  check_no_token_lost(&segments, &ones, 1);
  heed_segments_free(&segments);
  free(sentences);
  corpus_free(&shard);
}

/* Sentences stay whole in short rows too. */
static void short_rows_are_whole(void) {
  corpus_shape shape = shape_of(40, 30, 1, 30, 5);
  heed_shard shard = corpus_shard(&shape);
  heed_segments segments;
  CU_ASSERT_FATAL(heed_segments_create(&segments, &shard, 1, &(heed_segments_rule){.room = 62, .short_probability = 0.5}) == HEED_OK);
  check_no_token_lost(&segments, &shard, 1);
  for (int64_t i = 0; i < segments.samples; i++) {
    CU_ASSERT(segments.ranges[i].length <= 62);
    CU_ASSERT(corpus_is_edge(&shard, segments.ranges[i].first + segments.ranges[i].length));
  }
  heed_segments_free(&segments);
  corpus_free(&shard);
}

static void check_pair(const heed_shard *shards, const heed_range *pair, int64_t room) {
  heed_range a = pair[0], b = pair[1];
  check_one_document(shards, a);
  check_one_document(shards, b);
  CU_ASSERT(a.length + b.length <= room);
  CU_ASSERT(!a.is_random);
  bool same_document = a.shard == b.shard && corpus_document_of(&shards[a.shard], a.first) == corpus_document_of(&shards[b.shard], b.first);
  if (b.is_random) {
    CU_ASSERT(!same_document);
  } else {
    CU_ASSERT(same_document && b.first == a.first + a.length);
    CU_ASSERT(corpus_is_edge(&shards[b.shard], b.first) && corpus_is_edge(&shards[b.shard], b.first + b.length));
  }
}

static void pairs(void) {
  heed_shard shards[3];
  for (uint32_t s = 0; s < 3; s++) {
    corpus_shape shape = shape_of(40, 40, 3, 20, s);
    shards[s] = corpus_shard(&shape);
  }
  heed_segments segments;
  heed_segments_rule rule = {.room = 125, .short_probability = 0.1, .pairs = true, .seed = 3};
  CU_ASSERT_FATAL(heed_segments_create(&segments, shards, 3, &rule) == HEED_OK);
  check_no_token_lost(&segments, shards, 3);
  double random = 0, free_choice = 0, random_of_choice = 0;
  int64_t torn = 0, from_shard[3] = {0};
  for (int64_t i = 0; i < segments.samples; i++) {
    const heed_range *pair = &segments.ranges[2 * i];
    check_pair(shards, pair, rule.room);
    random += pair[1].is_random;
    from_shard[pair[1].shard] += pair[1].is_random;
    torn += !corpus_is_edge(&shards[pair[0].shard], pair[0].first + pair[0].length) ||
            !corpus_is_edge(&shards[pair[1].shard], pair[1].first) ||
            !corpus_is_edge(&shards[pair[1].shard], pair[1].first + pair[1].length);
    /* The chunk has two sentences unless the document ends behind A; then B must be random. */
    int64_t behind = pair[0].first + pair[0].length;
    if (behind < shards[pair[0].shard].token_count &&
        corpus_document_of(&shards[pair[0].shard], behind) == corpus_document_of(&shards[pair[0].shard], pair[0].first)) {
      free_choice++;
      random_of_choice += pair[1].is_random;
    } else {
      CU_ASSERT(pair[1].is_random);
    }
  }
  CU_ASSERT(fabs(random_of_choice - free_choice / 2) < 4 * sqrt(free_choice) / 2);
  CU_ASSERT(random / (double)segments.samples > 0.5 && random / (double)segments.samples < 0.65);
  CU_ASSERT(torn <= segments.samples / 100); /* random seconds do not give themselves away */
  CU_ASSERT(from_shard[0] > 0 && from_shard[1] > 0 && from_shard[2] > 0);
  heed_segments_free(&segments);
  for (int s = 0; s < 3; s++)
    corpus_free(&shards[s]);
}

/* Sentences far longer than a row: both sides are cut, nothing is lost. */
static void pairs_of_long_sentences(void) {
  for (int64_t room = 2; room <= 20; room++) {
    corpus_shape shape = shape_of(20, 6, 1, 90, (uint32_t)room);
    heed_shard shard = corpus_shard(&shape);
    heed_segments segments;
    heed_segments_rule rule = {.room = room, .short_probability = 0.3, .pairs = true, .seed = 1};
    CU_ASSERT_FATAL(heed_segments_create(&segments, &shard, 1, &rule) == HEED_OK);
    check_no_token_lost(&segments, &shard, 1);
    for (int64_t i = 0; i < segments.samples; i++)
      check_pair(&shard, &segments.ranges[2 * i], room);
    heed_segments_free(&segments);
    corpus_free(&shard);
  }
}

/* Where A and B do not both fit it is the longer side that gives way, and B loses its front as often as its back. */
static void cuts_of_long_sentences(void) {
  corpus_shape shape = shape_of(300, 6, 60, 90, 5);
  heed_shard shard = corpus_shard(&shape);
  heed_segments segments;
  heed_segments_rule rule = {.room = 41, .pairs = true, .seed = 1};
  CU_ASSERT_FATAL(heed_segments_create(&segments, &shard, 1, &rule) == HEED_OK);
  double fronts = 0, backs = 0;
  for (int64_t i = 0; i < segments.samples; i++) {
    heed_range a = segments.ranges[2 * i], b = segments.ranges[2 * i + 1];
    CU_ASSERT_EQUAL(a.length + b.length, 41); /* every sentence is longer than the room */
    CU_ASSERT(a.length <= 21 && b.length + 1 >= a.length);
    bool at_front = corpus_is_edge(&shard, b.first);
    fronts += !at_front;
    backs += at_front;
  }
  CU_ASSERT(fabs(fronts - backs) < 4 * sqrt(fronts + backs));
  heed_segments_free(&segments);
  corpus_free(&shard);
}

/* Short pairs still have a real second sentence to offer, so half of them keep it. */
static void short_pairs(void) {
  corpus_shape shape = shape_of(40, 200, 10, 10, 8);
  heed_shard shard = corpus_shard(&shape);
  heed_segments segments;
  heed_segments_rule rule = {.room = 60, .short_probability = 1, .pairs = true, .seed = 1};
  CU_ASSERT_FATAL(heed_segments_create(&segments, &shard, 1, &rule) == HEED_OK);
  double random = 0, samples = (double)segments.samples;
  for (int64_t i = 0; i < segments.samples; i++)
    random += segments.ranges[2 * i + 1].is_random;
  CU_ASSERT(samples > 1000);
  CU_ASSERT(fabs(random - samples / 2) < 4 * sqrt(samples) / 2 + 40); /* the last sentence of each of 40 documents has no choice */
  heed_segments_free(&segments);
  corpus_free(&shard);
}

/* A random second is drawn again when its sentence does not fit: sentences of up to 60 in what is left of 100 are rarely cut. */
static void random_seconds_are_whole(void) {
  corpus_shape shape = shape_of(100, 60, 3, 60, 8);
  heed_shard shard = corpus_shard(&shape);
  heed_segments segments;
  heed_segments_rule rule = {.room = 100, .pairs = true, .seed = 1};
  CU_ASSERT_FATAL(heed_segments_create(&segments, &shard, 1, &rule) == HEED_OK);
  double cut = 0;
  for (int64_t i = 0; i < segments.samples; i++) {
    const heed_range *pair = &segments.ranges[2 * i];
    cut += !corpus_is_edge(&shard, pair[0].first + pair[0].length) || !corpus_is_edge(&shard, pair[1].first) ||
           !corpus_is_edge(&shard, pair[1].first + pair[1].length);
  }
  CU_ASSERT(cut / (double)segments.samples < 0.02); /* above 0.1 with a single draw */
  heed_segments_free(&segments);
  corpus_free(&shard);
}

static void seeds(void) {
  corpus_shape shape = shape_of(30, 20, 3, 20, 0);
  heed_shard shard = corpus_shard(&shape);
  heed_segments made[3];
  for (uint32_t i = 0; i < 3; i++)
    CU_ASSERT_FATAL(heed_segments_create(&made[i], &shard, 1, &(heed_segments_rule){.room = 61, .pairs = true, .seed = i / 2}) == HEED_OK);
  CU_ASSERT_EQUAL(made[0].samples, made[1].samples);
  CU_ASSERT_EQUAL(memcmp(made[0].ranges, made[1].ranges, (size_t)made[0].samples * 2 * sizeof(heed_range)), 0);
  CU_ASSERT(made[0].samples != made[2].samples || memcmp(made[0].ranges, made[2].ranges, (size_t)made[0].samples * 2 * sizeof(heed_range)));
  for (int i = 0; i < 3; i++)
    heed_segments_free(&made[i]);
  corpus_free(&shard);
}

static void refusals(void) {
  corpus_shape shape = shape_of(1, 20, 3, 20, 0);
  heed_shard shard = corpus_shard(&shape);
  heed_segments segments;
  CU_ASSERT_EQUAL(heed_segments_create(&segments, &shard, 1, &(heed_segments_rule){.room = 61, .pairs = true}), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "next_sentence"));
  int64_t zero[] = {0};
  heed_shard empty = {.path = shard.path, .tokens = shard.tokens, .sentences = zero, .documents = zero};
  CU_ASSERT_EQUAL(heed_segments_create(&segments, &empty, 1, &(heed_segments_rule){.room = 61}), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "memory.h5"));
  corpus_free(&shard);
}

HEED_TESTS({"single: whole sentences, greedily, no token lost", single}, {"the share of short rows", short_share},
           {"short rows are whole sentences", short_rows_are_whole}, {"pairs", pairs}, {"pairs of long sentences", pairs_of_long_sentences},
           {"which side is cut", cuts_of_long_sentences}, {"short pairs", short_pairs},
           {"random seconds are whole sentences", random_seconds_are_whole}, {"a pure function of the seed", seeds},
           {"what is refused", refusals})
