/** Wall time, in seconds, from a clock that never goes back. */
#ifndef HEED_BASE_CLOCK_H
#define HEED_BASE_CLOCK_H

double heed_seconds(void);

#endif
