#include "data/string_map.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/hash.h"

/* The slot of the string: its own, or the free one where it belongs. */
static int64_t find_slot(const heed_string_map *map, const char *text, int32_t length) {
  int64_t mask = map->slot_count - 1, slot = (int64_t)(heed_hash_seeded(text, (size_t)length, map->seed) & (uint64_t)mask);
  for (;; slot = (slot + 1) & mask) {
    int64_t item = map->slots[slot] - 1;
    if (item < 0 || (map->items[item].length == length && memcmp(heed_string_map_text(map, item), text, (size_t)length) == 0))
      return slot;
  }
}

static bool grow_slots(heed_string_map *map) {
  int64_t larger = map->slot_count ? 2 * map->slot_count : 1024;
  int64_t *slots = calloc((size_t)larger, sizeof *slots);
  if (!slots)
    return false;
  if (!map->slots && getrandom(&map->seed, sizeof map->seed, GRND_NONBLOCK) < 0)
    map->seed = (uintptr_t)slots; /* early at boot: hardly to be known either */
  free(map->slots);
  map->slots = slots;
  map->slot_count = larger;
  for (int64_t i = 0; i < map->count; i++)
    slots[find_slot(map, heed_string_map_text(map, i), map->items[i].length)] = i + 1;
  return true;
}

/* Room for one more item of `length` bytes. */
static bool reserve(heed_string_map *map, int32_t length) {
  if (map->count == map->capacity) {
    int64_t larger = map->capacity ? 2 * map->capacity : 512;
    heed_string *items = realloc(map->items, (size_t)larger * sizeof *items);
    if (!items)
      return false;
    map->items = items;
    map->capacity = larger;
  }
  if (map->byte_capacity - map->byte_count <= length) { /* room for no byte has a place too */
    int64_t larger = 2 * map->byte_capacity + length + 4096;
    char *bytes = realloc(map->bytes, (size_t)larger);
    if (!bytes)
      return false;
    map->bytes = bytes;
    map->byte_capacity = larger;
  }
  return map->count < map->slot_count / 2 || grow_slots(map);
}

int64_t heed_string_map_find(const heed_string_map *map, const char *text, int32_t length) {
  return map->slot_count ? map->slots[find_slot(map, text, length)] - 1 : -1;
}

int64_t heed_string_map_add(heed_string_map *map, const char *text, int32_t length) {
  int64_t found = heed_string_map_find(map, text, length);
  if (found >= 0)
    return found;
  if (!reserve(map, length))
    return -1;
  memcpy(map->bytes + map->byte_count, text, (size_t)length);
  map->items[map->count] = (heed_string){.offset = map->byte_count, .length = length, .value = 0};
  map->byte_count += length;
  map->slots[find_slot(map, text, length)] = map->count + 1;
  return map->count++;
}

void heed_string_map_free(heed_string_map *map) {
  free(map->bytes);
  free(map->items);
  free(map->slots);
  *map = (heed_string_map){0};
}
