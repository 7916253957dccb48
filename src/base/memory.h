/** The memory of this machine, and of this process. */
#ifndef HEED_BASE_MEMORY_H
#define HEED_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes that programs may still take here without swapping, no more than a container's limit; SIZE_MAX where it cannot be read. */
size_t heed_memory_available(void);

/** The same of what is left now: of a container's limit what its programs have not taken yet. */
size_t heed_memory_left(void);

/** The two that it is the lesser of: what the machine has left, and what a container may take in all; SIZE_MAX where there is none. */
size_t heed_memory_of_machine(void);
size_t heed_memory_limit(void);

/** Asks for large pages where a block spans whole ones: touching it first costs a fraction, and so does finding it later.  Before the
 *  first touch.  Harmless where there are none. */
void heed_memory_prefer_large_pages(void *block, size_t bytes);

/** A block of `count` floats, aligned for vectors, on large pages where it spans some; to be freed with free.  NULL when memory is short.
 */
float *heed_memory_block(int64_t count);

/** A block of zeros whose pages are taken as they are touched, large ones or small; to be freed with free.  NULL when memory is short. */
float *heed_memory_fresh(int64_t count, bool large_pages);

/** Fills a block with zeros: its pages are touched by the threads that will use them, and a shortage shows here. */
void heed_memory_zero(float *block, int64_t count);

/** Takes the pages of a fresh block of shared memory, which are zeros, by the threads that will use them: false where there is no room for
 *  them, which touching would end the process for.  True where that cannot be told before (Linux before 5.14): they are touched then. */
bool heed_memory_take(float *block, int64_t count);

/** Bytes of this process that are in memory now, its program and libraries among them; 0 where it cannot be read. */
size_t heed_memory_resident(void);

#endif
