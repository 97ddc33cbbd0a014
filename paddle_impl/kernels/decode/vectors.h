// Vectors of DECODE_BYTES, and functions of them.
// This file is included once for each instruction set, so it has no include guard.

namespace decode {
namespace DECODE_VARIANT {

template <typename T>
struct Vector {
  typedef T type __attribute__((vector_size(DECODE_BYTES)));
  typedef typename std::conditional<sizeof(T) == 4, uint32_t, uint64_t>::type Word;
  typedef Word words __attribute__((vector_size(DECODE_BYTES)));
};
template <typename T>
using Vec = typename Vector<T>::type;

template <typename T>
constexpr int64_t kLanes = DECODE_BYTES / static_cast<int64_t>(sizeof(T));

template <typename T>
DECODE_INLINE Vec<T> load(const T* from) {
  Vec<T> vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

template <typename T>
DECODE_INLINE void store(T* to, Vec<T> vector) {
  std::memcpy(to, &vector, sizeof vector);
}

// Adds one half to the other again and again, so that the compiler adds registers, not numbers.
template <typename T, int64_t bytes>
DECODE_INLINE T sum_of(const T* from) {
  if constexpr (bytes <= 16) {
    T sum = from[0] + from[bytes / sizeof(T) / 2];
    if constexpr (bytes / sizeof(T) == 4) sum += from[1] + from[3];
    return sum;
  } else {
    typedef T Half __attribute__((vector_size(bytes / 2)));
    Half halves[2];
    std::memcpy(halves, from, bytes);
    halves[0] += halves[1];
    T half[bytes / 2 / sizeof(T)];
    std::memcpy(half, &halves[0], sizeof half);
    return sum_of<T, bytes / 2>(half);
  }
}

template <typename T>
DECODE_INLINE T sum(Vec<T> vector) {
  T lanes[kLanes<T>];
  store(lanes, vector);
  return sum_of<T, DECODE_BYTES>(lanes);
}

// A vector of the first `count` numbers, followed by zeros.
template <typename T>
DECODE_INLINE Vec<T> load_first(const T* from, int64_t count) {
  Vec<T> vector = {};
  std::memcpy(&vector, from, static_cast<size_t>(count) * sizeof(T));
  return vector;
}

template <typename T>
DECODE_INLINE T total(const T* x, int64_t count) {
  Vec<T> totals = {};
  int64_t i = 0;
  for (; i + kLanes<T> <= count; i += kLanes<T>) totals += load(x + i);
  if (i < count) totals += load_first(x + i, count - i);
  return sum<T>(totals);
}

template <typename T>
DECODE_INLINE T dot(const T* a, const T* b, int64_t count) {
  Vec<T> totals = {};
  int64_t i = 0;
  for (; i + kLanes<T> <= count; i += kLanes<T>) totals += load(a + i) * load(b + i);
  if (i < count) totals += load_first(a + i, count - i) * load_first(b + i, count - i);
  return sum<T>(totals);
}

template <typename T>
struct Exponential;
// To add `round` and to subtract it again rounds to an integer; in between the low bits of the sum
// are that integer. log 2 is in two parts, as in Cephes: the first has so few bits that its
// multiples are exact.
template <>
struct Exponential<float> {
  static constexpr float log2e = 1.44269504088896341f, round = 12582912.0f;
  static constexpr float high = 0.693359375f, low = -2.12194440e-4f;
  static constexpr float least = -87.0f, most = 88.0f;
  static constexpr int mantissa = 23, one = 127;
  static constexpr float factors[] = {1.0f / 5040, 1.0f / 720, 1.0f / 120, 1.0f / 24,
                                      1.0f / 6, 0.5f, 1.0f, 1.0f};
};
template <>
struct Exponential<double> {
  static constexpr double log2e = 1.44269504088896340736, round = 6755399441055744.0;
  static constexpr double high = 6.93145751953125e-1, low = 1.42860682030941723212e-6;
  static constexpr double least = -708.0, most = 709.0;
  static constexpr int mantissa = 52, one = 1023;
  static constexpr double factors[] = {
      1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
      1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0};
};

// exp(x), with an error of a few units in the last place: 2^n times a Taylor series on the interval
// from -log(2) / 2 to log(2) / 2. Below `least` and above `most` it is constant: nearly 0, and
// nearly the largest number.
template <typename T>
DECODE_INLINE Vec<T> exponential(Vec<T> x) {
  using E = Exponential<T>;
  using Words = typename Vector<T>::words;
  // No comparison is true of a NaN, so a NaN remains one.
  const Vec<T> least = Vec<T>{} + E::least, most = Vec<T>{} + E::most;
  x = x < least ? least : x;
  x = x > most ? most : x;
  const Vec<T> shifted = x * E::log2e + E::round;
  const Vec<T> n = shifted - E::round;
  x = (x - n * E::high) - n * E::low;
  Vec<T> series = Vec<T>{} + E::factors[0];
  for (size_t i = 1; i < sizeof E::factors / sizeof(T); ++i) series = series * x + E::factors[i];
  const Words bits = (Words)shifted;
  const Words one = Words{} + static_cast<typename Vector<T>::Word>(E::one);
  return series * (Vec<T>)((bits + one) << E::mantissa);
}

// x / (1 + exp(-2 u)), which is x / 2 (1 + tanh(u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
template <typename T>
DECODE_INLINE Vec<T> gelu(Vec<T> x) {
  const T scale = static_cast<T>(-2 * 0.79788456080286535588);
  const Vec<T> cubed = x * x * x;
  const Vec<T> u = (x + cubed * static_cast<T>(0.044715)) * scale;
  return x / (exponential<T>(u) + static_cast<T>(1));
}

}  // namespace DECODE_VARIANT
}  // namespace decode
