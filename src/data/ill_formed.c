#include "data/ill_formed.h"

#include "base/utf8.h"
#include "heed/log.h"

void heed_ill_formed_look(heed_ill_formed *found, const heed_line *line) {
  int64_t count = heed_utf8_count_invalid(line->text, line->bytes);
  if (count > 0)
    heed_ill_formed_add(found, &(heed_ill_formed){.count = count, .path = line->path, .line = line->number});
}

void heed_ill_formed_add(heed_ill_formed *all, const heed_ill_formed *more) {
  if (all->count == 0) {
    all->path = more->path;
    all->line = more->line;
  }
  all->count += more->count;
}

void heed_ill_formed_warn(const heed_ill_formed *found) {
  if (found->count > 0)
    heed_warn("%s:%lld: not UTF-8; such bytes %s, %lld sequence%s in all (of Latin-1 text: iconv -f LATIN1 -t UTF-8)", found->path,
              (long long)found->line, found->kept ? "become U+FFFD" : "are dropped", (long long)found->count, found->count > 1 ? "s" : "");
}
