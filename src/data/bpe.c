/* Byte-level BPE: the text's pre-tokens (pretokens.h), each one's bytes joined by the merges of lowest rank. */
#include "data/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/pretokens.h"

static heed_status encode_pretoken(const heed_bpe *bpe, const heed_pretoken *p, int32_t **ids, int64_t *capacity, int64_t *count) {
  int64_t whole = p->bytes <= INT32_MAX ? heed_string_map_find(&bpe->whole, p->text, (int32_t)p->bytes) : -1;
  HEED_TRY(heed_tokenizer_reserve(ids, capacity, *count, whole < 0 ? (int64_t)p->bytes : 1));
  int32_t *out = *ids + *count;
  if (p->special || whole >= 0) {
    *out = p->special ? bpe->base.special.separate : (int32_t)bpe->whole.items[whole].value;
    (*count)++;
    return HEED_OK;
  }
  if (p->bytes > HEED_BPE_MOST_BYTES)
    return heed_error(HEED_INVALID, "a word of %zu bytes, more than %d, cannot be encoded", p->bytes, HEED_BPE_MOST_BYTES);
  int64_t tokens = (int64_t)p->bytes;
  for (int64_t i = 0; i < tokens; i++)
    out[i] = bpe->byte_ids[(unsigned char)p->text[i]];
  HEED_TRY(heed_bpe_merge_all(&bpe->merges, out, &tokens));
  *count += tokens;
  return HEED_OK;
}

static heed_status encode_well_formed(const heed_bpe *bpe, const char *text, size_t bytes, int32_t **ids, int64_t *capacity,
                                      int64_t *count) {
  heed_pretokens pretokens = heed_pretokens_of(text, bytes);
  heed_pretoken pretoken;
  while (heed_pretokens_next(&pretokens, &pretoken))
    HEED_TRY(encode_pretoken(bpe, &pretoken, ids, capacity, count));
  return HEED_OK;
}

static heed_status encode(const heed_tokenizer *tokenizer, const char *text, size_t bytes, int32_t **ids, int64_t *capacity,
                          int64_t *count) {
  const heed_bpe *bpe = heed_bpe_of(tokenizer);
  if (heed_utf8_is_valid(text, bytes))
    return encode_well_formed(bpe, text, bytes, ids, capacity, count);
  char *repaired = heed_utf8_repair(text, &bytes);
  heed_status status = repaired ? encode_well_formed(bpe, repaired, bytes, ids, capacity, count)
                                : heed_error(HEED_FAILED, "out of memory for a text of %zu bytes", bytes);
  free(repaired);
  return status;
}

static size_t print(const heed_tokenizer *tokenizer, int32_t id, int64_t before, char *out) {
  const heed_bpe *bpe = heed_bpe_of(tokenizer);
  size_t length = bpe->raw_at[id + 1] - bpe->raw_at[id];
  (void)before;
  if (out)
    memcpy(out, bpe->raw + bpe->raw_at[id], length);
  return length;
}

static int32_t find(const heed_tokenizer *tokenizer, const char *token) {
  size_t length = strlen(token);
  return length > HEED_VOCABULARY_BYTES ? -1 : (int32_t)heed_string_map_find(&heed_bpe_of(tokenizer)->names, token, (int32_t)length);
}

static bool is_special(const heed_tokenizer *tokenizer, int32_t id) {
  return id == tokenizer->special.separate;
}

static int64_t token_bytes(const heed_tokenizer *tokenizer, int32_t id) {
  return is_special(tokenizer, id) ? 0 : (int64_t)print(tokenizer, id, 0, NULL);
}

static bool files(const heed_tokenizer *tokenizer, int i, const char **name, const char **text, size_t *bytes) {
  size_t json = strcspn(tokenizer->text, "\n") + 1; /* in JSON on one line there is no other newline */
  *name = i == 0 ? "vocab.json" : "merges.txt";
  *text = tokenizer->text + (i == 0 ? 0 : json);
  *bytes = i == 0 ? json : tokenizer->bytes - json;
  return i < 2;
}

static void free_bpe(heed_tokenizer *tokenizer) {
  heed_bpe *bpe = heed_bpe_of(tokenizer);
  heed_string_map_free(&bpe->names);
  heed_string_map_free(&bpe->whole);
  free(bpe->merges.slots);
  free(bpe->raw);
  free(bpe->raw_at);
}

const heed_tokenizer_operations heed_bpe_operations = {.kind = HEED_BPE,
                                                       .name = "bpe",
                                                       .cut = heed_pretokens_cut,
                                                       .encode = encode,
                                                       .print = print,
                                                       .find = find,
                                                       .is_special = is_special,
                                                       .token_bytes = token_bytes,
                                                       .files = files,
                                                       .free = free_bpe};
