/** Where the Rust library `tokenizers` 0.23 and Unicode as it is today do not agree: rows for characters.c alone.
 *
 *  Most rows are characters younger than Unicode 8.0: marks, punctuation and controls today, unassigned and so letters there.  A row
 *  reaches across characters that are plain letters on both sides, which makes few of many.
 *  Source: printed by `python tests/parity/tokenizer.py --derive`, which asks the library about every code point and compares with
 *  unicodedata2 18.0 (classes) and Python 3.11's str.lower (Unicode 14: what later versions have in lower case). */
#ifndef HEED_DATA_UNICODE_EXCEPTIONS_H
#define HEED_DATA_UNICODE_EXCEPTIONS_H

#include <stdint.h>

typedef enum exception_kind {
  NO_EXCEPTION,
  AS_LETTER,         /**< no mark, no decomposition, canonical order 0 */
  AS_ORDERED_LETTER, /**< new in Unicode 9.0: a letter that keeps its canonical order */
  AS_MARK,
  AS_PUNCTUATION,
} exception_kind;

/** In ascending order. */
static const struct exception {
  int32_t first, last;
  exception_kind kind;
} exceptions[] = {
    {0x05C8, 0x05C9, AS_LETTER},        {0x061D, 0x061D, AS_LETTER},           {0x07FD, 0x07FD, AS_LETTER},
    {0x0890, 0x08D3, AS_LETTER},        {0x08D4, 0x08E1, AS_ORDERED_LETTER},   {0x08E2, 0x08E2, AS_LETTER},
    {0x09FD, 0x09FE, AS_LETTER},        {0x0A76, 0x0A76, AS_LETTER},           {0x0AFA, 0x0AFF, AS_LETTER},
    {0x0B53, 0x0B55, AS_LETTER},        {0x0C04, 0x0C3C, AS_LETTER},           {0x0C77, 0x0C77, AS_LETTER},
    {0x0C84, 0x0C84, AS_LETTER},        {0x0D00, 0x0D00, AS_LETTER},           {0x0D3B, 0x0D3C, AS_LETTER},
    {0x0D81, 0x0D81, AS_LETTER},        {0x0EBA, 0x0EBA, AS_LETTER},           {0x0ECE, 0x0ECE, AS_LETTER},
    {0x166D, 0x166D, AS_PUNCTUATION},   {0x1715, 0x1715, AS_LETTER},           {0x1734, 0x1734, AS_MARK},
    {0x180F, 0x1886, AS_LETTER},        {0x1ABF, 0x1AF0, AS_LETTER},           {0x1B4E, 0x1B4F, AS_LETTER},
    {0x1B7D, 0x1B7F, AS_LETTER},        {0x1DF6, 0x1DFA, AS_LETTER},           {0x1DFB, 0x1DFB, AS_ORDERED_LETTER},
    {0x2E43, 0x2E63, AS_LETTER},        {0xA82C, 0xA82C, AS_LETTER},           {0xA8C5, 0xA8C5, AS_LETTER},
    {0xA8FF, 0xA8FF, AS_LETTER},        {0xA9BD, 0xA9BD, AS_LETTER},           {0x105C9, 0x105E4, AS_LETTER},
    {0x10D24, 0x10F89, AS_LETTER},      {0x11070, 0x11074, AS_LETTER},         {0x110C2, 0x110CD, AS_LETTER},
    {0x111C9, 0x111C9, AS_PUNCTUATION}, {0x111CF, 0x111CF, AS_LETTER},         {0x1123E, 0x11241, AS_LETTER},
    {0x1133B, 0x1133B, AS_LETTER},      {0x11383, 0x1143F, AS_LETTER},         {0x11442, 0x11442, AS_ORDERED_LETTER},
    {0x11443, 0x11444, AS_LETTER},      {0x11446, 0x11446, AS_ORDERED_LETTER}, {0x1144B, 0x1145E, AS_LETTER},
    {0x11660, 0x1166C, AS_LETTER},      {0x116B9, 0x116B9, AS_LETTER},         {0x1171E, 0x1171E, AS_MARK},
    {0x1182F, 0x11C3D, AS_LETTER},      {0x11C3F, 0x11C3F, AS_ORDERED_LETTER}, {0x11C41, 0x11FFF, AS_LETTER},
    {0x12FF1, 0x1612F, AS_LETTER},      {0x16D68, 0x16F4F, AS_LETTER},         {0x16FE2, 0x16FF1, AS_LETTER},
    {0x1CF00, 0x1D128, AS_LETTER},      {0x1D250, 0x1D281, AS_LETTER},         {0x1E000, 0x1E02A, AS_ORDERED_LETTER},
    {0x1E08F, 0x1E6F5, AS_LETTER},      {0x1E944, 0x1E94A, AS_ORDERED_LETTER}, {0x1E95E, 0x1E95F, AS_LETTER},
};

/** Upper case that is younger than Unicode 14: first … last become `lower` and what follows it. */
static const struct young_upper_case {
  int32_t first, last, lower;
} young_upper_case[] = {
    {0x1C89, 0x1C89, 0x1C8A}, {0xA7CB, 0xA7CB, 0x0264}, {0xA7CC, 0xA7CC, 0xA7CD}, {0xA7CE, 0xA7CE, 0xA7CF},    {0xA7D2, 0xA7D2, 0xA7D3},
    {0xA7D4, 0xA7D4, 0xA7D5}, {0xA7DA, 0xA7DA, 0xA7DB}, {0xA7DC, 0xA7DC, 0x019B}, {0x10D50, 0x10D65, 0x10D70}, {0x16EA0, 0x16EB8, 0x16EBB},
};

#endif
