#include "checkpoint/library.h"

#include <stdbool.h>
#include <string.h>

void heed_library_ready(void) {
  static bool ready;
  if (ready)
    return;
  H5open();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state(0);
  ready = true;
}

static herr_t take_innermost(unsigned number, const H5E_error2_t *error, void *text) {
  if (number == 0 && error->desc)
    strncpy(text, error->desc, 255);
  return 0;
}

heed_status heed_library_error(heed_status status, const char *file, const char *what) {
  char text[256] = "";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_innermost, text);
  H5Eclear2(H5E_DEFAULT);
  return heed_error(status, "%s: %s%s%s", file, what, text[0] ? ": HDF5: " : "", text);
}

hid_t heed_library_type(const heed_item *item) {
  if (item->type == HEED_ITEM_FLOAT32)
    return H5Tcopy(H5T_IEEE_F32LE);
  hid_t type = H5Tcopy(H5T_C_S1);
  if (type >= 0 && H5Tset_size(type, (size_t)item->bytes) >= 0 && H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 &&
      H5Tset_cset(type, H5T_CSET_UTF8) >= 0)
    return type;
  if (type >= 0)
    H5Tclose(type);
  return H5I_INVALID_HID;
}
