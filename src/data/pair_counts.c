#include "data/pair_counts.h"

#include <stdlib.h>

/* Makes room for one more element behind `count`.  `data` is the address of a pointer to elements of `size` bytes. */
static bool reserve(void **data, int64_t count, int64_t *capacity, size_t size) {
  if (count < *capacity)
    return true;
  int64_t larger = *capacity ? 2 * *capacity : 1024;
  void *grown = realloc(*data, (size_t)larger * size);
  if (!grown)
    return false;
  *data = grown;
  *capacity = larger;
  return true;
}

static int64_t find_slot(const heed_pair_counts *table, int32_t left, int32_t right) {
  uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
  uint64_t mixed = (key ^ key >> 29) * 0x9E3779B97F4A7C15u;
  int64_t mask = table->slot_count - 1, slot = (int64_t)((mixed >> 32) & (uint64_t)mask);
  for (;; slot = (slot + 1) & mask) {
    int64_t pair = table->slots[slot] - 1;
    if (pair < 0 || (table->pairs[pair].left == left && table->pairs[pair].right == right))
      return slot;
  }
}

static bool grow_slots(heed_pair_counts *table) {
  int64_t larger = table->slot_count ? 2 * table->slot_count : 4096;
  int64_t *slots = calloc((size_t)larger, sizeof *slots);
  if (!slots)
    return false;
  free(table->slots);
  table->slots = slots;
  table->slot_count = larger;
  for (int64_t i = 0; i < table->count; i++)
    slots[find_slot(table, table->pairs[i].left, table->pairs[i].right)] = i + 1;
  return true;
}

/* The pair, made if it is new; −1 when memory is short. */
static int64_t find_or_make(heed_pair_counts *table, int32_t left, int32_t right) {
  if (2 * (table->count + 1) > table->slot_count && !grow_slots(table))
    return -1;
  int64_t slot = find_slot(table, left, right);
  if (table->slots[slot] == 0) {
    void *pairs = table->pairs;
    bool have = reserve(&pairs, table->count, &table->capacity, sizeof *table->pairs);
    table->pairs = pairs;
    if (!have)
      return -1;
    table->pairs[table->count] = (heed_pair){.left = left, .right = right, .where = -1};
    table->slots[slot] = ++table->count;
  }
  return table->slots[slot] - 1;
}

static bool note_place(heed_pair_counts *table, heed_pair *pair, int32_t word) {
  void *places = table->places;
  bool have = reserve(&places, table->place_count, &table->place_capacity, sizeof *table->places);
  table->places = places;
  if (!have)
    return false;
  table->places[table->place_count] = (heed_pair_place){pair->where, word};
  pair->where = table->place_count++;
  return true;
}

bool heed_pair_counts_add(heed_pair_counts *table, int32_t left, int32_t right, int64_t change, int32_t word) {
  int64_t index = find_or_make(table, left, right);
  if (index < 0)
    return false;
  heed_pair *pair = &table->pairs[index];
  pair->count += change;
  if (word >= 0 && !(pair->where >= 0 && table->places[pair->where].word == word) && !note_place(table, pair, word))
    return false;
  if (change <= 0 || word < 0 || pair->grown)
    return true;
  void *grown = table->grown;
  bool have = reserve(&grown, table->grown_count, &table->grown_capacity, sizeof *table->grown);
  table->grown = grown;
  if (have) {
    table->grown[table->grown_count++] = index;
    pair->grown = true;
  }
  return have;
}

/* Whether entry a goes before entry b. */
static bool before(const heed_pair_counts *table, heed_pair_entry a, heed_pair_entry b) {
  const heed_pair *one = &table->pairs[a.pair], *other = &table->pairs[b.pair];
  if (a.count != b.count)
    return a.count > b.count;
  return one->left != other->left ? one->left < other->left : one->right < other->right;
}

static bool push(heed_pair_counts *table, heed_pair_entry entry) {
  void *queue = table->queue;
  bool have = reserve(&queue, table->queue_count, &table->queue_capacity, sizeof *table->queue);
  table->queue = queue;
  if (!have)
    return false;
  int64_t at = table->queue_count++;
  for (; at > 0 && before(table, entry, table->queue[(at - 1) / 2]); at = (at - 1) / 2)
    table->queue[at] = table->queue[(at - 1) / 2];
  table->queue[at] = entry;
  return true;
}

/* Puts `entry` in the place of the first one and lets it sink. */
static void replace_first(heed_pair_counts *table, heed_pair_entry entry) {
  int64_t at = 0;
  for (;;) {
    int64_t child = 2 * at + 1;
    if (child + 1 < table->queue_count && before(table, table->queue[child + 1], table->queue[child]))
      child++;
    if (child >= table->queue_count || !before(table, table->queue[child], entry))
      break;
    table->queue[at] = table->queue[child];
    at = child;
  }
  table->queue[at] = entry;
}

bool heed_pair_counts_enter(heed_pair_counts *table) {
  for (int64_t i = 0; i < table->grown_count; i++) {
    heed_pair *pair = &table->pairs[table->grown[i]];
    pair->grown = false;
    if (pair->count > 0 && !push(table, (heed_pair_entry){pair->count, table->grown[i]}))
      return false;
  }
  table->grown_count = 0;
  return true;
}

int64_t heed_pair_counts_take(heed_pair_counts *table) {
  while (table->queue_count > 0) {
    heed_pair_entry first = table->queue[0];
    int64_t now = table->pairs[first.pair].count;
    if (now > 0 && now < first.count) { /* it fell while it waited: back to where it belongs */
      replace_first(table, (heed_pair_entry){now, first.pair});
      continue;
    }
    heed_pair_entry last = table->queue[--table->queue_count];
    if (table->queue_count > 0)
      replace_first(table, last);
    if (now == first.count) /* else it has gone, or a later entry has its count */
      return first.pair;
  }
  return -1;
}

void heed_pair_counts_free(heed_pair_counts *table) {
  free(table->pairs);
  free(table->slots);
  free(table->places);
  free(table->grown);
  free(table->queue);
  *table = (heed_pair_counts){0};
}
