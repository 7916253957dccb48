/** The memory of this machine, and of this process. */
#ifndef HEED_BASE_MEMORY_H
#define HEED_BASE_MEMORY_H

#include <stddef.h>

/** Bytes that programs may still take here without swapping, no more than a container's limit; SIZE_MAX where it cannot be read. */
size_t heed_memory_available(void);

/** Bytes of this process that are in memory now, its program and libraries among them; 0 where it cannot be read. */
size_t heed_memory_resident(void);

#endif
