/** A map from strings of bytes to numbers, in the order of first use. */
#ifndef HEED_DATA_STRING_MAP_H
#define HEED_DATA_STRING_MAP_H

#include <stdint.h>

#include "heed/status.h"

typedef struct heed_string {
  int64_t offset; /**< in heed_string_map.bytes */
  int32_t length;
  int64_t value;
} heed_string;

typedef struct heed_string_map {
  char *bytes; /**< the strings one behind the other */
  int64_t byte_count, byte_capacity;
  heed_string *items; /**< [count] */
  int64_t count, capacity;
  int64_t *slots; /**< open addressing: item + 1, 0 = free */
  int64_t slot_count;
  uint64_t seed; /**< of the slots' hash; nothing that is seen depends on it */
} heed_string_map;

/** The item of a string, added with value 0 if it is new; −1 when memory is short. */
int64_t heed_string_map_add(heed_string_map *map, const char *text, int32_t length);

/** The item of a string, or −1. */
int64_t heed_string_map_find(const heed_string_map *map, const char *text, int32_t length);

static inline const char *heed_string_map_text(const heed_string_map *map, int64_t item) {
  return map->bytes + map->items[item].offset;
}

void heed_string_map_free(heed_string_map *map);

#endif
