// The weights in the order in which a step reads them, and the memory that it writes to.
//
// C width, H heads, D = C / H, V vocabulary; a panel is kLine bytes of columns.

#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "buffer.h"
#include "pool.h"
#include "rows.h"

namespace decode {

template <typename T>
constexpr int64_t kPanel = kLine / static_cast<int64_t>(sizeof(T));  // columns

template <typename T>
constexpr int64_t padded(int64_t size) {
  return round_up(size, kPanel<T>);
}

// Weights as panels of columns. Each panel, (in, kPanel), is contiguous, so that a step reads the
// matrix once, from one end to the other. Without huge pages the product of one row with the head
// took 1.3 times as long. Columns beyond `out` are zero.
template <typename T>
struct Matrix {
  Matrix(int64_t in_, int64_t out_)
      : in(in_), out(out_), panels(padded<T>(out_) / kPanel<T>),
        weights(panels * in_ * kPanel<T>, true), bias(panels * kPanel<T>) {
    std::fill_n(bias.get(), panels * kPanel<T>, T{0});
  }

  // weight [in, out], bias (out,).
  static Matrix linear(Pool& pool, const T* weight, const T* bias, int64_t in, int64_t out) {
    Matrix matrix(in, out);
    std::copy_n(bias, out, matrix.bias.get());
    // Several panels at a time: a row of one panel is a single cache line, far from the next row.
    pool.run(matrix.panels, 8, [&](int64_t begin, int64_t end) {
      for (int64_t k = 0; k < in; ++k) {
        for (int64_t p = begin; p < end; ++p) {
          T* to = matrix.line(p, k);
          const int64_t count = std::min(kPanel<T>, out - p * kPanel<T>);
          std::fill_n(std::copy_n(weight + k * out + p * kPanel<T>, count, to),
                      kPanel<T> - count, T{0});
        }
      }
    });
    return matrix;
  }

  // weight [out, in], such as the embedding, which is the head, too. When a step read the embedding
  // itself, row after row, instead of panels, ten rows took at least 1.5 times as long.
  static Matrix transposed(Pool& pool, const T* weight, int64_t in, int64_t out) {
    Matrix matrix(in, out);
    pool.run(matrix.panels, 8, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        const T* rows = weight + p * kPanel<T> * in;
        const int64_t count = std::min(kPanel<T>, out - p * kPanel<T>);
        for (int64_t k = 0; k < in; ++k) {
          T* to = matrix.line(p, k);
          for (int64_t j = 0; j < count; ++j) to[j] = rows[j * in + k];
          std::fill_n(to + count, kPanel<T> - count, T{0});
        }
      }
    });
    return matrix;
  }

  T* line(int64_t panel, int64_t k) { return weights.get() + (panel * in + k) * kPanel<T>; }

  int64_t in, out, panels;
  Buffer<T> weights, bias;
};

template <typename T>
struct Norm {
  std::vector<T> gain, bias;
};

template <typename T>
struct Layer {
  Norm<T> norm1;
  Matrix<T> attention, projection;
  Norm<T> norm2;
  Matrix<T> inner, outer;
};

template <typename T>
struct Model {
  int64_t width, heads, vocabulary, learned;  // learned: positions that have an embedding
  T epsilon;
  const T* tokens;     // (V, C); the caller keeps it alive
  const T* positions;  // (learned, C); the caller keeps it alive
  std::vector<Layer<T>> layers;
  Norm<T> last;
  Matrix<T> head;
  int64_t size() const { return width / heads; }
  int64_t inner() const { return layers.front().inner.out; }
};

// Keys and values (layers, rows, H, positions, D) each.
template <typename T>
struct Cache {
  Cache(const Model<T>& model, int64_t rows, int64_t positions)
      : row(positions * model.width), layer(rows * row), head(positions * model.size()),
        keys(static_cast<int64_t>(model.layers.size()) * layer),
        values(static_cast<int64_t>(model.layers.size()) * layer) {}
  int64_t row, layer, head;  // numbers of each
  Buffer<T> keys, values;
};

// The intermediate results of a step, a row for each row that is fed, padded to whole panels.
template <typename T>
struct Workspace {
  Workspace(const Model<T>& model, int64_t rows, int64_t positions)
      : x(rows, model.width), normed(rows, model.width), qkv(rows, 3 * model.width),
        mixed(rows, model.width), inner(rows, model.inner()),
        scores(rows * model.heads, positions),
        sums(rows * padded<T>(std::max({3 * model.width, model.inner(), model.vocabulary}))) {}

  struct Block {
    Block(int64_t rows, int64_t width) : stride(padded<T>(width)), data(rows * stride) {
      std::fill_n(data.get(), rows * stride, T{0});
    }
    T* row(int64_t i) { return data.get() + i * stride; }
    int64_t stride;
    Buffer<T> data;
  };
  Block x, normed, qkv, mixed, inner, scores;
  Buffer<T> sums;  // the partial sums of a product, (panels, N, kPanel)
};

// Everything that a step needs besides its rows and tokens.
template <typename T>
struct State {
  const Model<T>& model;
  Cache<T>& cache;
  Workspace<T>& work;
  const Rows& rows;  // their lengths include the new token
  Pool& pool;
};

}  // namespace decode
