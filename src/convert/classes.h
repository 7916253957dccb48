/** The classes of transformers that Heed reads and writes, as rows of one table: what their config.json says, and what their tensors are
 *  called. */
#ifndef HEED_CONVERT_CLASSES_H
#define HEED_CONVERT_CLASSES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "heed/config.h"
#include "heed/tokenizer.h"

/** A key of config.json that is one of the model section.  A list ends with a row without names. */
typedef struct heed_class_key {
  const char *theirs, *ours;
  const char *otherwise; /**< where it is missing or null: the value; "" leaves ours to its default; NULL: it must be there */
} heed_class_key;

/** A key that changes what is computed, and the one value, as JSON, that Heed computes; one that is missing or null passes. */
typedef struct heed_class_fixed {
  const char *theirs, *value;
} heed_class_fixed;

/** An activation under their name and ours.  The first row of ours is the name it is written under. */
typedef struct heed_class_activation {
  const char *theirs, *ours;
} heed_class_activation;

/** A tensor that is called or laid out otherwise there.  `theirs` and `ours` may hold a %d, the number of a block; NULL for theirs: the
 *  same name.  One of theirs is `parts` of ours, which lie one behind the other; transposed: theirs is [inputs, outputs]. */
typedef struct heed_class_rename {
  const char *theirs, *ours;
  int parts;
  bool transposed;
} heed_class_rename;

/** A second name of a tensor (their names): tied, and mostly left out of files. */
typedef struct heed_class_tie {
  const char *copy, *of;
} heed_class_tie;

/** A key of config.json that holds a special token's id. */
typedef struct heed_class_special {
  const char *theirs;
  size_t ours; /**< offset in heed_special_tokens */
} heed_class_special;

typedef struct heed_class {
  const char *model_type, *architecture;
  const char *architecture_next_sentence; /**< NULL: none */
  const char *family, *settings;          /**< settings: what all its models share, as YAML behind the family: ", key: value, …" */
  const char *prefix;                     /**< of the body's names, which files of a bare body leave out */
  const char *const *body;                /**< what names of the body begin with, behind the prefix */
  const char *const *ignored;             /**< ends of names of tensors that hold nothing trained */
  const char *activation_key;
  const heed_class_key *keys;
  const heed_class_fixed *fixed;
  const heed_class_activation *activations;
  const heed_class_rename *renames;
  const heed_class_tie *ties;
  const heed_class_special *special;
  /** What is not a key for a key; may be NULL.  Reading prints more of the YAML, writing adds to the object. */
  heed_status (*read_more)(FILE *out, const json_t *json);
  void (*write_more)(json_t *json, const heed_model_config *model);
} heed_class;

/** The row with that model_type.  Errors: HEED_INVALID naming those there are. */
heed_status heed_class_find(const heed_class **class, const char *model_type);

/** The rows one after the other; NULL after the last. */
const heed_class *heed_class_at(int number);

/** Whether a name of theirs belongs to the body.  The prefix may be missing. */
bool heed_class_owns(const heed_class *class, const char *name);

#endif
