#include "base/spelling.h"

#include <stddef.h>
#include <string.h>

enum { LONGEST = 64 };

int heed_spelling_distance(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  int cost[LONGEST + 1][LONGEST + 1];
  if (n > LONGEST || m > LONGEST)
    return LONGEST;
  for (size_t i = 0; i <= n; i++)
    for (size_t j = 0; j <= m; j++) {
      if (i == 0 || j == 0) {
        cost[i][j] = (int)(i + j);
        continue;
      }
      int best = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (cost[i - 1][j] + 1 < best)
        best = cost[i - 1][j] + 1;
      if (cost[i][j - 1] + 1 < best)
        best = cost[i][j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && cost[i - 2][j - 2] + 1 < best)
        best = cost[i - 2][j - 2] + 1;
      cost[i][j] = best;
    }
  return cost[n][m];
}

const char *heed_spelling_nearest(const char *word, const char *const *names, int count) {
  int length = (int)strlen(word), least = length / 3 + 1;
  const char *nearest = NULL;
  for (int i = 0; i < count; i++) {
    int apart = length >= 3 && strncmp(names[i], word, (size_t)length) == 0 ? 1 : heed_spelling_distance(word, names[i]);
    if (apart < least) {
      least = apart;
      nearest = names[i];
    }
  }
  return nearest;
}
