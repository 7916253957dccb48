/** The memory of this machine, and of this process. */
#ifndef HEED_BASE_MEMORY_H
#define HEED_BASE_MEMORY_H

#include <stddef.h>

/** Bytes that programs may still take here without swapping, no more than a container's limit; SIZE_MAX where it cannot be read. */
size_t heed_memory_available(void);

/** Asks for large pages where a block spans whole ones: touching it first costs a fraction, and so does finding it later.  Before the
 *  first touch.  Harmless where there are none. */
void heed_memory_prefer_large_pages(void *block, size_t bytes);

/** Bytes of this process that are in memory now, its program and libraries among them; 0 where it cannot be read. */
size_t heed_memory_resident(void);

#endif
