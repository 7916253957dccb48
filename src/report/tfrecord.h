/** TFRecord framing: how TensorBoard's files hold their records one after the other.
 *
 *      length (8 bytes) · masked CRC32C of the length (4) · data · masked CRC32C of the data (4), all little-endian
 *
 *  Source: tensorflow/core/lib/io/record_writer.h; CRC32C: RFC 3720, appendix B.4. */
#ifndef HEED_REPORT_TFRECORD_H
#define HEED_REPORT_TFRECORD_H

#include <stddef.h>
#include <stdint.h>

/** Bytes of the frame before the data, and behind it. */
enum { HEED_TFRECORD_HEAD = 12, HEED_TFRECORD_TAIL = 4 };

/** CRC32C (Castagnoli). */
uint32_t heed_crc32c(const void *data, size_t bytes);

/** That of a record: (crc rotated right by 15 bits) + a282ead8, so that a checksum of data that holds checksums stays sound. */
uint32_t heed_tfrecord_checksum(const void *data, size_t bytes);

/** Puts the frame around `bytes` of data that stand at record + HEED_TFRECORD_HEAD.  Returns the bytes of the whole. */
size_t heed_tfrecord_frame(unsigned char *record, size_t bytes);

#endif
