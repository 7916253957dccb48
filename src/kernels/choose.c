/* Which instruction level runs here.  Compiled once, for the lowest processor: it must run everywhere. */
#include <stdlib.h>
#include <string.h>

#include "kernels/choose.h"

#ifdef HEED_X86_64
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const heed_kernels heed_kernels_v2_fp32, heed_kernels_v3_fp32, heed_kernels_v4_fp32, heed_kernels_v4_bf16_fp32,
    heed_kernels_v4_amx_fp32;

/* The levels of the x86-64 psABI, lowest first.  __builtin_cpu_supports answers for a vector extension only when the operating system
 * saves its registers too.  Flags, never models: virtual machines report odd models. */
static bool supports_v2(void) {
  return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2") &&
         __builtin_cpu_supports("popcnt");
}
static bool supports_v3(void) {
  return supports_v2() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}
static bool supports_v4(void) {
  return supports_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static bool supports_v4_bf16(void) {
  unsigned a = 0, b, c, d;
  return supports_v4() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 5 & 1;
}
#ifdef HEED_EMULATE_AMX
static bool supports_v4_amx(void) {
  return supports_v4_bf16();
}
#else
/* Tiles need the system's leave, once for the process, before their first use. */
static bool supports_v4_amx(void) {
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
  unsigned a, b, c, d = 0;
  return supports_v4_bf16() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && d >> 22 & 1 && d >> 24 & 1 &&
         syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#endif

typedef struct level {
  const heed_kernels *kernels;
  bool (*supported)(void);
} level;

static const level levels[] = {
    {&heed_kernels_v2_fp32, supports_v2},           {&heed_kernels_v3_fp32, supports_v3},         {&heed_kernels_v4_fp32, supports_v4},
    {&heed_kernels_v4_bf16_fp32, supports_v4_bf16}, {&heed_kernels_v4_amx_fp32, supports_v4_amx},
};
enum { LEVELS = sizeof levels / sizeof *levels };

/** Whether HEED_ISA names the level: by its whole name, or without what all begin with. */
static bool is_named(const char *isa, const char *pin) {
  return strcmp(isa, pin) == 0 || strcmp(isa + strlen("x86-64-"), pin) == 0;
}

/** The place of the best level that runs here, −1 where none does. */
static int best_level(void) {
  int best = -1;
  __builtin_cpu_init();
  while (best + 1 < LEVELS && levels[best + 1].supported())
    best++;
  return best;
}

const heed_kernels *heed_kernels_best(void) {
  int best = best_level();
  return best < 0 ? NULL : levels[best].kernels;
}

const heed_kernels *heed_kernels_choose(const char *ceiling) {
  int best = best_level();
  const char *pin = getenv("HEED_ISA");
  if (pin && *pin) {
    int pinned = 0;
    while (pinned < LEVELS && !is_named(levels[pinned].kernels->isa, pin))
      pinned++;
    if (pinned > best)
      return NULL; /* unknown, or not here */
    best = pinned;
  }
  for (int i = 0; ceiling && i < best; i++)
    if (strcmp(levels[i].kernels->isa, ceiling) == 0)
      best = i;
  return best < 0 ? NULL : levels[best].kernels;
}
#else
extern const heed_kernels heed_kernels_generic_fp32;

const heed_kernels *heed_kernels_best(void) {
  return &heed_kernels_generic_fp32;
}

const heed_kernels *heed_kernels_choose(const char *ceiling) {
  (void)ceiling;
  const char *pin = getenv("HEED_ISA");
  return pin && *pin && strcmp(pin, "generic") != 0 ? NULL : &heed_kernels_generic_fp32;
}
#endif
