// One decoder: its weights, keys and values, and threads. It checks all arguments.

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "model.h"
#include "variants.h"

namespace decode {

struct Shape {
  int64_t width, heads, inner, vocabulary, learned;
  double epsilon;
};

// A layer's parameters as the model stores them: matrices [in, out].
template <typename T>
struct LayerSource {
  const T *norm1_gain, *norm1_bias, *attention, *attention_bias, *projection, *projection_bias;
  const T *norm2_gain, *norm2_bias, *inner, *inner_bias, *outer, *outer_bias;
};

template <typename T>
class Engine {
 public:
  // tokens (V, C) and positions (learned, C) are read in place; all other weights are copied.
  Engine(const Shape& shape, const T* tokens, const T* positions,
         const std::vector<LayerSource<T>>& layers, const T* last_gain, const T* last_bias,
         int64_t rows, int64_t room, int threads, const std::string& instructions)
      : pool_(threads),
        step_(step_for<T>(instructions)),
        model_{shape.width, shape.heads, shape.vocabulary, shape.learned,
               static_cast<T>(shape.epsilon), tokens, positions, {},
               norm(last_gain, last_bias, shape.width),
               Matrix<T>::transposed(pool_, tokens, shape.width, shape.vocabulary)},
        rows_(rows, room) {
    for (const auto& layer : layers) model_.layers.push_back(pack(layer, shape));
    cache_ = std::make_unique<Cache<T>>(model_, rows, room);
    work_ = std::make_unique<Workspace<T>>(model_, rows, room);
  }

  int64_t vocabulary() const { return model_.vocabulary; }
  int64_t width() const { return model_.width; }
  int64_t heads() const { return model_.heads; }
  int64_t layers() const { return static_cast<int64_t>(model_.layers.size()); }
  int64_t length(int64_t row) const {
    std::lock_guard<std::mutex> lock(busy_);
    rows_.check(row);
    return rows_.lengths[row];
  }

  // Empties the row; `load` then brings the keys and values of each layer.
  void fill(int64_t row, int64_t length) {
    std::lock_guard<std::mutex> lock(busy_);
    rows_.check(row);
    rows_.check_room(row, length);
    rows_.fill(row, length);
  }

  // keys, values (H, L, D) of one layer, of the L = length tokens that the row was filled for.
  void load(int64_t row, int64_t layer, int64_t length, const T* keys, const T* values) {
    std::lock_guard<std::mutex> lock(busy_);
    // Another thread may have filled it since the caller asked for its length.
    if (rows_.lengths[row] != length) {
      throw std::invalid_argument("row " + std::to_string(row) + " no longer holds " +
                                  std::to_string(length) + " tokens");
    }
    const int64_t size = length * model_.size();
    const int64_t base = layer * cache_->layer + row * cache_->row;
    for (int64_t head = 0; head < model_.heads; ++head) {
      std::copy_n(keys + head * size, size, cache_->keys.get() + base + head * cache_->head);
      std::copy_n(values + head * size, size, cache_->values.get() + base + head * cache_->head);
    }
  }

  void copy(int64_t source, int64_t target) {
    std::lock_guard<std::mutex> lock(busy_);
    rows_.check_kept(source);
    rows_.check(target);
    if (source != target) rows_.copy(source, target);
  }

  // rows, tokens (N,) -> logits (N, V). All arguments are checked before anything changes.
  void step(const int64_t* rows, const int64_t* tokens, int64_t count, T* logits) {
    if (count == 0) return;
    std::lock_guard<std::mutex> lock(busy_);
    std::vector<char> named(rows_.rows(), 0);
    for (int64_t n = 0; n < count; ++n) {
      check(rows[n], tokens[n]);
      if (named[rows[n]]++ != 0) {
        throw std::invalid_argument("row " + std::to_string(rows[n]) + " is fed twice in one step");
      }
    }
    for (int64_t n = 0; n < count; ++n) rows_.append(rows[n]);
    step_({model_, *cache_, *work_, rows_, pool_}, rows, tokens, count, logits);
  }

 private:
  void check(int64_t row, int64_t token) const {
    rows_.check_kept(row);
    if (rows_.lengths[row] == 0) {
      throw std::invalid_argument("row " + std::to_string(row) +
                                  " holds no tokens; fill it with a prompt");
    }
    rows_.check_room(row, rows_.lengths[row] + 1);
    if (token < 0 || token >= model_.vocabulary) {
      throw std::invalid_argument("token " + std::to_string(token) +
                                  " is outside the vocabulary 0 to " +
                                  std::to_string(model_.vocabulary - 1));
    }
  }

  static Norm<T> norm(const T* gain, const T* bias, int64_t width) {
    return {{gain, gain + width}, {bias, bias + width}};
  }

  Layer<T> pack(const LayerSource<T>& from, const Shape& shape) {
    const int64_t width = shape.width, inner = shape.inner;
    const auto linear = [&](const T* weight, const T* bias, int64_t in, int64_t out) {
      return Matrix<T>::linear(pool_, weight, bias, in, out);
    };
    return {norm(from.norm1_gain, from.norm1_bias, width),
            linear(from.attention, from.attention_bias, width, 3 * width),
            linear(from.projection, from.projection_bias, width, width),
            norm(from.norm2_gain, from.norm2_bias, width),
            linear(from.inner, from.inner_bias, width, inner),
            linear(from.outer, from.outer_bias, inner, width)};
  }

  Pool pool_;
  Step<T> step_;
  Model<T> model_;
  Rows rows_;
  std::unique_ptr<Cache<T>> cache_;
  std::unique_ptr<Workspace<T>> work_;
  mutable std::mutex busy_;  // Python's lock is released, so two threads may call at the same time
};

}  // namespace decode
