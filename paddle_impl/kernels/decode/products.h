// Products of N rows with a matrix of weights, which is read once for all rows.
// This file is included once for each instruction set, so it has no include guard.
//
// Every output is summed in the same order, whatever N is and whatever block its row is in: the
// bits of a row do not depend on the other rows. (Where the processor has an instruction for a
// product and a sum, every block uses it; the tests compare the bits.)

namespace decode {
namespace DECODE_VARIANT {

template <typename T>
constexpr int kVectors = static_cast<int>(kPanel<T> / kLanes<T>);  // of a row of a panel

// As many sums as fit into the registers, of which AVX-512 and ARM have 32, and others 16.
constexpr int kSums = DECODE_REGISTERS == 32 ? 24 : 12;
constexpr int kPanelRows = kSums * DECODE_BYTES / static_cast<int>(kLine) > 12
                               ? 12 : kSums * DECODE_BYTES / static_cast<int>(kLine);

// The weights that a block of rows prefetches while it computes. Each block prefetches a share of
// the next weights: if the first block waited for all of them, the others would leave the memory
// idle.
struct Ahead {
  const void* next;
  int64_t from, lines;
  DECODE_INLINE void ask(int64_t line) const {
    if (static_cast<uint64_t>(line - from) < static_cast<uint64_t>(lines)) {
      __builtin_prefetch(static_cast<const char*>(next) + line * kLine);
    }
  }
};

// Calls f(first row, rows, what to prefetch of the `lines` at next) for blocks of nearly equal
// size. A last block of one row would take as long as a full one.
template <int most, typename F>
DECODE_INLINE void in_blocks(int64_t rows, const void* next, int64_t lines, const F& f) {
  const int64_t blocks = (rows + most - 1) / most;
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t begin = rows * i / blocks, from = lines * i / blocks;
    f(begin, rows * (i + 1) / blocks - begin,
      Ahead{next, from, lines * (i + 1) / blocks - from});
  }
}

// Calls f with a compile-time constant that equals count, which is from 1 to `most`.
template <int most, typename F>
DECODE_INLINE void with_count(int64_t count, const F& f) {
  if constexpr (most == 1) {
    f(std::integral_constant<int, 1>());
  } else if (count == most) {
    f(std::integral_constant<int, most>());
  } else {
    with_count<most - 1>(count, f);
  }
}

// R rows (stride apart) x a strip of one panel, onto R rows of kPanel sums.
template <typename T, int R>
DECODE_NOINLINE void add_strip(const T* x, int64_t stride, const T* strip, int64_t length,
                               T* sums_of, Ahead ahead) {
  constexpr int J = kVectors<T>;
  Vec<T> sums[R][J];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < J; ++j) sums[r][j] = load(sums_of + r * kPanel<T> + j * kLanes<T>);
  }
  for (int64_t k = 0; k < length; ++k, strip += kPanel<T>) {
    ahead.ask(k);
    Vec<T> weights[J];
    for (int j = 0; j < J; ++j) weights[j] = load(strip + j * kLanes<T>);
    for (int r = 0; r < R; ++r) {
      for (int j = 0; j < J; ++j) sums[r][j] += weights[j] * x[r * stride + k];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < J; ++j) store(sums_of + r * kPanel<T> + j * kLanes<T>, sums[r][j]);
  }
}

// Multiplies x (rows, in) with the matrix, and calls finish(row, column, sums with bias) for each
// vector of outputs.
template <typename T, typename F>
void product(Pool& pool, typename Workspace<T>::Block& x, Buffer<T>& sums, int64_t rows,
             const Matrix<T>& matrix, const F& finish) {
  const int64_t grain = std::max<int64_t>(1, kTask / (matrix.in * kLine));
  pool.run(matrix.panels, grain, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* panel = matrix.weights.get() + p * matrix.in * kPanel<T>;
      const T* bias = matrix.bias.get() + p * kPanel<T>;
      T* own = sums.get() + p * rows * kPanel<T>;
      for (int64_t r = 0; r < rows; ++r) std::copy_n(bias, kPanel<T>, own + r * kPanel<T>);
      for (int64_t k = 0; k < matrix.in; k += kStrip) {
        const int64_t length = std::min(kStrip, matrix.in - k);
        const T* strip = panel + k * kPanel<T>;
        in_blocks<kPanelRows>(rows, strip + length * kPanel<T>, length,
                              [&](int64_t first, int64_t count, Ahead ahead) {
          with_count<kPanelRows>(count, [&](auto R) {
            add_strip<T, decltype(R)::value>(x.row(first) + k, x.stride, strip, length,
                                             own + first * kPanel<T>, ahead);
          });
        });
      }
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t j = 0; j < kPanel<T>; j += kLanes<T>) {
          finish(r, p * kPanel<T> + j, load(own + r * kPanel<T> + j));
        }
      }
    }
  });
}

}  // namespace DECODE_VARIANT
}  // namespace decode
