// The step, compiled for each instruction set of the processor's family, and the choice among them:
// so a binary that was built on one machine runs on another.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "model.h"

// GCC does not inline a function into one that has other instructions, and it splits wide vectors
// before it inlines. So all files of the step are compiled for each set, not only some functions.
#define DECODE_INLINE inline __attribute__((always_inline))
#define DECODE_NOINLINE __attribute__((noinline))

namespace decode {
constexpr int64_t kStrip = 64;        // lines of a panel that all rows use before the next lines
constexpr int64_t kTask = 128 << 10;  // bytes of weights of a task, for about 10 microseconds
}  // namespace decode

#if defined(__clang__)
#define DECODE_BEGIN(targets) \
  _Pragma(DECODE_TEXT(clang attribute push(__attribute__((target(targets))), apply_to = function)))
#define DECODE_END _Pragma("clang attribute pop")
#else
#define DECODE_BEGIN(targets) _Pragma("GCC push_options") _Pragma(DECODE_TEXT(GCC target(targets)))
#define DECODE_END _Pragma("GCC pop_options")
#endif
#define DECODE_TEXT(text) #text

#define DECODE_VARIANT baseline
#define DECODE_BYTES 16
#if defined(__x86_64__)
#define DECODE_REGISTERS 16
#else
#define DECODE_REGISTERS 32
#endif
#include "vectors.h"
#include "products.h"
#include "step.h"
#undef DECODE_VARIANT
#undef DECODE_BYTES
#undef DECODE_REGISTERS

#if defined(__x86_64__)
#define DECODE_VARIANT avx2
#define DECODE_BYTES 32
#define DECODE_REGISTERS 16
DECODE_BEGIN("avx2,fma")
#include "vectors.h"
#include "products.h"
#include "step.h"
DECODE_END
#undef DECODE_VARIANT
#undef DECODE_BYTES
#undef DECODE_REGISTERS

// Not with clang, whose versions have different names for 512 bits.
#if !defined(__clang__)
#define DECODE_HAS_AVX512
#define DECODE_VARIANT avx512
#define DECODE_BYTES 64
#define DECODE_REGISTERS 32
DECODE_BEGIN("avx512f,avx512dq,avx512vl,avx2,fma")
#include "vectors.h"
#include "products.h"
#include "step.h"
DECODE_END
#undef DECODE_VARIANT
#undef DECODE_BYTES
#undef DECODE_REGISTERS
#endif
#endif

namespace decode {

template <typename T>
using Step = void (*)(const State<T>&, const int64_t*, const int64_t*, int64_t, T*);

// The names of the sets that this processor has, the fastest first.
inline std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#if defined(DECODE_HAS_AVX512)
  if (wide && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    names.push_back("avx512");
  }
#endif
  if (wide) names.push_back("avx2");
#endif
  names.push_back("baseline");
  return names;
}

// Throws for a set that the processor lacks; in Python that is a ValueError.
template <typename T>
Step<T> step_for(const std::string& instructions) {
  const auto names = instruction_sets();
  if (std::find(names.begin(), names.end(), instructions) == names.end()) {
    throw std::invalid_argument("this processor has no instruction set " + instructions);
  }
#if defined(__x86_64__)
#if defined(DECODE_HAS_AVX512)
  if (instructions == "avx512") return avx512::step<T>;
#endif
  if (instructions == "avx2") return avx2::step<T>;
#endif
  return baseline::step<T>;
}

}  // namespace decode
