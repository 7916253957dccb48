#include "report/tfrecord.h"

/* Four bits at a time through the polynomial 1EDC6F41, its bits reversed. */
static const uint32_t nibbles[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                     0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

uint32_t heed_crc32c(const void *data, size_t bytes) {
  const unsigned char *at = data;
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < bytes; i++) {
    crc ^= at[i];
    crc = crc >> 4 ^ nibbles[crc & 15];
    crc = crc >> 4 ^ nibbles[crc & 15];
  }
  return ~crc;
}

uint32_t heed_tfrecord_checksum(const void *data, size_t bytes) {
  uint32_t crc = heed_crc32c(data, bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static void put_little_endian(unsigned char *to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++)
    to[i] = (unsigned char)(value >> 8 * i);
}

size_t heed_tfrecord_frame(unsigned char *record, size_t bytes) {
  put_little_endian(record, bytes, 8);
  put_little_endian(record + 8, heed_tfrecord_checksum(record, 8), 4);
  put_little_endian(record + HEED_TFRECORD_HEAD + bytes, heed_tfrecord_checksum(record + HEED_TFRECORD_HEAD, bytes), 4);
  return HEED_TFRECORD_HEAD + bytes + HEED_TFRECORD_TAIL;
}
