#include "base/failpoint.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const heed_failpoint_names[HEED_FAILPOINT_COUNT] = {
    [HEED_AT_SAVE_BEGIN] = "save.begin",
    [HEED_AT_SAVE_FOLDER] = "save.folder",
    [HEED_AT_SAVE_CREATE] = "save.create",
    [HEED_AT_SAVE_TEXTS] = "save.texts",
    [HEED_AT_SAVE_PIECE] = "save.piece",
    [HEED_AT_SAVE_WINDOW] = "save.window",
    [HEED_AT_SAVE_SYNC] = "save.sync",
    [HEED_AT_SAVE_READ_BACK] = "save.read_back",
    [HEED_AT_SAVE_MANIFEST] = "save.manifest",
    [HEED_AT_SAVE_MANIFEST_SYNC] = "save.manifest_sync",
    [HEED_AT_SAVE_FOLDER_SYNC] = "save.folder_sync",
    [HEED_AT_SAVE_AGREE] = "save.agree",
    [HEED_AT_SAVE_RENAME] = "save.rename",
    [HEED_AT_SAVE_PARENT_SYNC] = "save.parent_sync",
    [HEED_AT_SAVE_RETIRE] = "save.retire",
    [HEED_AT_SAVE_UNLINK] = "save.unlink",
    [HEED_AT_LOAD_PIECE] = "load.piece",
    [HEED_AT_STORE_OPEN] = "store.open",
    [HEED_AT_GRADIENTS] = "step.gradients",
    [HEED_AT_REPLICA] = "step.replica",
    [HEED_AT_SHARD] = "step.shard",
    [HEED_AT_COPY] = "step.copy",
    [HEED_AT_STEP_FORWARD] = "step.forward",
};

typedef enum action { ACTION_KILL, ACTION_EXIT, ACTION_ERROR, ACTION_HANG, ACTION_COUNT } action;
static const char *const action_names[ACTION_COUNT] = {"kill", "exit", "error", "hang"};

static bool environment_read;
static _Atomic int armed = -1;   /* the armed place, −1 for none: a save may go on in a thread of its own */
static long passed, first, last; /* it acts at these passings */
static action armed_action;

static int find(const char *const *names, int count, const char *name, size_t length) {
  for (int i = 0; i < count; i++)
    if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
      return i;
  return -1;
}

/* N or N-M.  \param[out] end  behind them */
static bool understand_passings(const char *text, char **end) {
  first = last = strtol(text, end, 10);
  if (*end == text || first < 1)
    return false;
  const char *more = *end + 1;
  if (**end != '-')
    return true;
  last = strtol(more, end, 10);
  return *end != more && last >= first;
}

/* NAME[:N[-M][:ACTION]] */
static bool understand(const char *text) {
  size_t length = strcspn(text, ":");
  armed = find(heed_failpoint_names, HEED_FAILPOINT_COUNT, text, length);
  passed = 0;
  first = last = 1;
  armed_action = ACTION_KILL;
  text += length;
  if (armed < 0 || !*text)
    return armed >= 0;
  char *end;
  if (!understand_passings(text + 1, &end))
    return false;
  if (!*end)
    return true;
  int chosen = *end == ':' ? find(action_names, ACTION_COUNT, end + 1, strlen(end + 1)) : -1;
  armed_action = chosen < 0 ? ACTION_KILL : (action)chosen;
  return chosen >= 0;
}

void heed_failpoint_set(const char *text) {
  environment_read = true;
  armed = -1;
  if (!text || !*text || understand(text))
    return;
  fprintf(stderr, "error: HEED_FAILPOINT=%s is not NAME[:N[-M][:kill|exit|error|hang]]; names:", text);
  for (int i = 0; i < HEED_FAILPOINT_COUNT; i++)
    fprintf(stderr, " %s", heed_failpoint_names[i]);
  fputc('\n', stderr);
  exit(HEED_USAGE);
}

heed_status heed_failpoint(heed_failpoint_place place) {
  if (!environment_read)
    heed_failpoint_set(getenv("HEED_FAILPOINT"));
  if (armed != (int)place || ++passed < first)
    return HEED_OK;
  if (passed >= last)
    armed = -1;
  if (armed_action == ACTION_KILL)
    raise(SIGKILL);
  if (armed_action == ACTION_EXIT)
    _exit(HEED_FAILED);
  while (armed_action == ACTION_HANG)
    sleep(1000);
  return heed_error(HEED_IO, "failpoint %s", heed_failpoint_names[place]);
}
