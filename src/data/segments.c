#include "data/segments.h"

#include <stdlib.h>

#include "data/draws.h"

enum { TRIES = 8 };

typedef struct builder {
  const heed_shard *shards;
  int64_t shard_count;
  const heed_segments_rule *rule;
  int64_t *first_sentence; /* [shard_count + 1] sentences before each shard */
  heed_segments out;
  int64_t capacity; /* samples there is memory for */
} builder;

/* One document of one shard, and how far the walk through it is. */
typedef struct walk {
  const heed_shard *shard;
  uint32_t shard_number;
  int64_t first_sentence, end_sentence; /* the document's, in the shard */
  int64_t sentence;                     /* the one that holds the next token */
  int64_t token, end_token;
} walk;

/* Sentences from `sentence` on that together fit: [token, stop), `used` of them. */
typedef struct chunk {
  int64_t stop, used;
} chunk;

/* Takes whole sentences while the length stays within `target`, and the first `least` of them while it stays within `room`.
 * When not even the first fits, takes `room` tokens of it. */
static chunk take_sentences(const walk *at, int64_t target, int64_t room, int64_t least) {
  const int64_t *starts = at->shard->sentences;
  chunk taken = {at->token, 0};
  for (int64_t s = at->sentence; s < at->end_sentence; s++) {
    if (starts[s + 1] - at->token > (least > 0 ? room : target))
      break;
    taken = (chunk){starts[s + 1], s + 1 - at->sentence};
    least--;
  }
  int64_t left = at->end_token - at->token;
  if (taken.used == 0)
    taken = (chunk){at->token + (left < room ? left : room), 1};
  return taken;
}

/* Moves on to `token`, at or behind the present one. */
static void walk_to(walk *at, int64_t token) {
  at->token = token;
  while (at->sentence < at->end_sentence && at->shard->sentences[at->sentence + 1] <= token)
    at->sentence++;
}

static walk walk_begin(const heed_shard *shard, uint32_t shard_number, int64_t first_sentence, int64_t end_sentence, int64_t sentence) {
  walk at = {.shard = shard,
             .shard_number = shard_number,
             .first_sentence = first_sentence,
             .end_sentence = end_sentence,
             .sentence = sentence,
             .end_token = shard->sentences[end_sentence]};
  walk_to(&at, shard->sentences[sentence]);
  return at;
}

static int64_t draw_target(const heed_segments_rule *rule, heed_draws *draws) {
  if (rule->short_probability <= 0 || rule->room < 2)
    return rule->room;
  bool is_short = heed_uniform(heed_draw(draws)) < rule->short_probability;
  uint32_t word = heed_draw(draws);
  return is_short ? 2 + (int64_t)heed_below(word, (uint64_t)rule->room - 1) : rule->room;
}

/* The last i of starts[count + 1] with starts[i] ≤ value, for starts[0] ≤ value < starts[count]. */
static int64_t find_run(const int64_t *starts, int64_t count, int64_t value) {
  int64_t low = 0, high = count;
  while (high - low > 1) {
    int64_t middle = low + (high - low) / 2;
    if (starts[middle] <= value)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/* A walk that stands at a random sentence of any document but `own`'s. */
static walk random_sentence(const builder *b, const walk *own, heed_draws *draws) {
  int64_t sentences = b->first_sentence[b->shard_count], own_count = own->end_sentence - own->first_sentence;
  uint64_t word = (uint64_t)heed_draw(draws) << 32;
  word |= heed_draw(draws);
  int64_t sentence = (int64_t)(word % (uint64_t)(sentences - own_count));
  if (sentence >= b->first_sentence[own->shard_number] + own->first_sentence)
    sentence += own_count;
  int64_t s = find_run(b->first_sentence, b->shard_count, sentence);
  const heed_shard *shard = &b->shards[s];
  sentence -= b->first_sentence[s];
  int64_t document = find_run(shard->documents, shard->document_count, sentence);
  return walk_begin(shard, (uint32_t)s, shard->documents[document], shard->documents[document + 1], sentence);
}

/* Draws a random B for an A of *a_length tokens.  Where both do not fit the room the longer side is cut, so *a_length may become less. */
static heed_range random_second(const builder *b, const walk *own, int64_t target, int64_t *a_length, heed_draws *draws) {
  int64_t room = b->rule->room, length = 0;
  walk at = {0};
  for (int tries = 0; tries == 0 || (tries < TRIES && length > room - *a_length); tries++) {
    at = random_sentence(b, own, draws);
    length = take_sentences(&at, target - *a_length, room, 1).stop - at.token;
  }
  int64_t a_most = room - length > room - room / 2 ? room - length : room - room / 2;
  if (*a_length > a_most)
    *a_length = a_most;
  int64_t surplus = length - (room - *a_length);
  bool cut_front = heed_draw(draws) & 1;
  if (surplus > 0) {
    length -= surplus;
    at.token += cut_front ? surplus : 0;
  }
  return (heed_range){at.token, (uint32_t)length, at.shard_number, 1};
}

static heed_status add_sample(builder *b, heed_range first, heed_range second) {
  heed_segments *out = &b->out;
  if (out->samples == b->capacity) {
    int64_t capacity = b->capacity ? 2 * b->capacity : 1024;
    heed_range *ranges = realloc(out->ranges, (size_t)(capacity * out->parts) * sizeof *ranges);
    if (!ranges)
      return heed_error(HEED_FAILED, "out of memory for the list of %lld samples; use fewer ranks a node, or longer sequences",
                        (long long)capacity);
    out->ranges = ranges;
    b->capacity = capacity;
  }
  heed_range *place = &out->ranges[out->samples++ * out->parts];
  place[0] = first;
  if (out->parts == 2)
    place[1] = second;
  return HEED_OK;
}

/* Cuts the next pair out of the document and moves the walk on. */
static heed_status next_pair(builder *b, walk *at, heed_draws *draws) {
  int64_t target = draw_target(b->rule, draws);
  chunk taken = take_sentences(at, target, b->rule->room, 2);
  uint32_t split_word = heed_draw(draws), label_word = heed_draw(draws);
  int64_t a_stop = taken.stop;
  if (taken.used > 1)
    a_stop = at->shard->sentences[at->sentence + 1 + heed_below(split_word, (uint64_t)taken.used - 1)];
  int64_t a_length = a_stop - at->token;
  heed_range first = {at->token, 0, at->shard_number, 0}, second = {a_stop, (uint32_t)(taken.stop - a_stop), at->shard_number, 0};
  if (taken.used == 1 || label_word & 1) {
    second = random_second(b, at, target, &a_length, draws);
    taken.stop = at->token + a_length;
  }
  first.length = (uint32_t)a_length;
  walk_to(at, taken.stop);
  return add_sample(b, first, second);
}

static heed_status cut_document(builder *b, walk at, uint64_t document) {
  for (uint32_t segment = 0; at.token < at.end_token; segment++) {
    heed_draws draws = heed_draws_begin(b->rule->seed, HEED_FOR_SEGMENTS, segment, (uint32_t)document, (uint32_t)(document >> 32));
    if (b->rule->pairs) {
      HEED_TRY(next_pair(b, &at, &draws));
      continue;
    }
    chunk taken = take_sentences(&at, draw_target(b->rule, &draws), b->rule->room, 1);
    HEED_TRY(add_sample(b, (heed_range){at.token, (uint32_t)(taken.stop - at.token), at.shard_number, 0}, (heed_range){0}));
    walk_to(&at, taken.stop);
  }
  return HEED_OK;
}

static heed_status cut_shards(builder *b) {
  uint64_t document = 0; /* counted over all shards */
  for (int64_t s = 0; s < b->shard_count; s++) {
    const heed_shard *shard = &b->shards[s];
    for (int64_t d = 0; d < shard->document_count; d++, document++)
      HEED_TRY(
          cut_document(b, walk_begin(shard, (uint32_t)s, shard->documents[d], shard->documents[d + 1], shard->documents[d]), document));
  }
  return HEED_OK;
}

heed_status heed_segments_create(heed_segments *segments, const heed_shard *shards, int64_t count, const heed_segments_rule *rule) {
  int64_t documents = 0;
  for (int64_t s = 0; s < count; s++)
    documents += shards[s].document_count;
  if (documents == 0)
    return heed_error(HEED_INVALID, "%s: the data hold no text", count > 0 ? shards[0].path : "no token shard");
  if (rule->pairs && documents < 2)
    return heed_error(HEED_INVALID,
                      "%s: next-sentence pairs need a second document to draw from, and the data hold one; separate documents by blank "
                      "lines before `heed prepare`, or set objective.next_sentence: false",
                      shards[0].path);
  builder b = {.shards = shards, .shard_count = count, .rule = rule, .out = {.parts = rule->pairs ? 2 : 1}};
  b.first_sentence = calloc((size_t)count + 1, sizeof *b.first_sentence);
  if (!b.first_sentence)
    return heed_error(HEED_FAILED, "out of memory for %lld token shards", (long long)count);
  for (int64_t s = 0; s < count; s++)
    b.first_sentence[s + 1] = b.first_sentence[s] + shards[s].sentence_count;
  heed_status status = cut_shards(&b);
  free(b.first_sentence);
  if (status != HEED_OK) {
    free(b.out.ranges);
    return status;
  }
  heed_range *exact = realloc(b.out.ranges, (size_t)(b.out.samples * b.out.parts) * sizeof *exact);
  if (exact)
    b.out.ranges = exact;
  *segments = b.out;
  return HEED_OK;
}

void heed_segments_free(heed_segments *segments) {
  free(segments->ranges);
  *segments = (heed_segments){0};
}
