/** Status and error text.
 *
 *  A function that can fail returns a heed_status; its results go through pointers.  The text of the error (what, where, what to
 *  do) is kept beside it, per thread, until the next failure.  A status is also the exit code of the program. */
#ifndef HEED_STATUS_H
#define HEED_STATUS_H

typedef enum heed_status {
  HEED_OK = 0,
  HEED_FAILED = 1,    /**< anything that has no code of its own */
  HEED_USAGE = 64,    /**< the command line was not understood */
  HEED_INVALID = 65,  /**< something named is missing, of the wrong kind or invalid */
  HEED_IO = 74,       /**< a read or a write failed */
  HEED_STOPPED = 75,  /**< stopped on request after saving; run again to go on */
  HEED_WATCHDOG = 124 /**< no progress within the limit */
} heed_status;

/** Keeps the formatted text as this thread's error and returns `status`, so that a failure is one line:
 *  `return heed_error(HEED_INVALID, "%s: …", path);`  Of a text beyond 2,047 bytes the
 *  middle is left out. */
heed_status heed_error(heed_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Puts "where: " before the text of the error that is already kept, and returns `status`. */
heed_status heed_error_in(heed_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The text of this thread's last error, never NULL.  Valid until its next failure. */
const char *heed_error_text(void);

/** Returns from the calling function with the status of `expression` unless it is HEED_OK. */
#define HEED_TRY(expression)                     \
  do {                                           \
    heed_status heed_try_status_ = (expression); \
    if (heed_try_status_ != HEED_OK)             \
      return heed_try_status_;                   \
  } while (0)

#endif
