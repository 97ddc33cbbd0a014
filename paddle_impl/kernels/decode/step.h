// One step of the model, in execution order.
// This file is included once for each instruction set, so it has no include guard.
//
// Shapes: N rows, C width, H heads, D = C / H, V vocabulary, L tokens that a row holds now.

namespace decode {
namespace DECODE_VARIANT {

template <typename T>
void layer_norm(const Norm<T>& norm, T epsilon, const T* x, int64_t width, T* out) {
  const auto count = static_cast<T>(width);
  const T mean = total(x, width) / count;
  for (int64_t i = 0; i < width; ++i) out[i] = x[i] - mean;
  const T scale = 1 / std::sqrt(dot(out, out, width) / count + epsilon);
  for (int64_t i = 0; i < width; ++i) out[i] = out[i] * scale * norm.gain[i] + norm.bias[i];
}

// Turns scores (L,) into their softmax, and overwrites the numbers up to the next whole vector.
template <typename T>
void softmax(T* scores, int64_t length) {
  T most = scores[0];
  for (int64_t i = 1; i < length; ++i) most = scores[i] > most ? scores[i] : most;
  for (int64_t i = 0; i < length; i += kLanes<T>) {
    store(scores + i, exponential<T>(load(scores + i) - most));
  }
  const T scale = 1 / total(scores, length);
  for (int64_t i = 0; i < length; ++i) scores[i] *= scale;
}

// out (D,) = the sum over L of weights (L,) times values; the value of position s begins at at(s).
template <typename T, int J, typename At>
DECODE_INLINE void mix(const T* weights, int64_t length, const At& at, T* out) {
  Vec<T> sums[J] = {};
  for (int64_t s = 0; s < length; ++s) {
    const T* value = at(s);
    for (int j = 0; j < J; ++j) sums[j] += load(value + j * kLanes<T>) * weights[s];
  }
  for (int j = 0; j < J; ++j) store(out + j * kLanes<T>, sums[j]);
}

// Attention of one row and one head. qkv (3 C) are the new token's; its key and value are put into
// the cache first.
template <typename T>
void attend(const State<T>& state, int64_t layer, int64_t n, int64_t row, int64_t head) {
  const int64_t size = state.model.size(), width = state.model.width;
  const int64_t length = state.rows.lengths[row], heads = state.model.heads;
  const int32_t* owners = state.rows.owners(row);
  T* query = state.work.qkv.row(n) + head * size;
  const int64_t base = layer * state.cache.layer + head * state.cache.head;
  const auto offset = [&](int64_t s) { return base + owners[s] * state.cache.row + s * size; };
  T* keys = state.cache.keys.get();
  T* values = state.cache.values.get();
  std::copy_n(query + width, size, keys + offset(length - 1));
  std::copy_n(query + 2 * width, size, values + offset(length - 1));

  const T scale = 1 / std::sqrt(static_cast<T>(size));
  for (int64_t i = 0; i < size; ++i) query[i] *= scale;
  T* scores = state.work.scores.row(n * heads + head);
  for (int64_t s = 0; s < length; ++s) scores[s] = dot(query, keys + offset(s), size);
  softmax(scores, length);

  T* out = state.work.mixed.row(n) + head * size;
  int64_t d = 0;
  const auto at = [&](int64_t s) { return values + offset(s) + d; };
  for (; d + 8 * kLanes<T> <= size; d += 8 * kLanes<T>) mix<T, 8>(scores, length, at, out + d);
  for (; d + kLanes<T> <= size; d += kLanes<T>) mix<T, 1>(scores, length, at, out + d);
  for (; d < size; ++d) {
    T sum = 0;
    for (int64_t s = 0; s < length; ++s) sum += *at(s) * scores[s];
    out[d] = sum;
  }
}

// rows, tokens (N,) -> logits (N, V).
template <typename T>
void step(const State<T>& state, const int64_t* rows, const int64_t* tokens, int64_t count,
          T* logits) {
  const Model<T>& model = state.model;
  auto& work = state.work;
  const int64_t width = model.width;
  for (int64_t n = 0; n < count; ++n) {
    const T* token = model.tokens + tokens[n] * width;
    const T* position = model.positions + (state.rows.lengths[rows[n]] - 1) * width;
    T* x = work.x.row(n);
    for (int64_t i = 0; i < width; ++i) x[i] = token[i] + position[i];
  }
  const auto normalize = [&](const Norm<T>& norm) {
    for (int64_t n = 0; n < count; ++n) {
      layer_norm(norm, model.epsilon, work.x.row(n), width, work.normed.row(n));
    }
  };
  const auto into = [](typename Workspace<T>::Block& block) {
    return [&block](int64_t n, int64_t i, Vec<T> sum) { store(block.row(n) + i, sum); };
  };
  const auto onto_x = [&](int64_t n, int64_t i, Vec<T> sum) {
    store(work.x.row(n) + i, load(work.x.row(n) + i) + sum);
  };
  for (size_t l = 0; l < model.layers.size(); ++l) {
    const Layer<T>& layer = model.layers[l];
    normalize(layer.norm1);
    product<T>(state.pool, work.normed, work.sums, count, layer.attention, into(work.qkv));
    // The rows of one head follow each other, since rows of one prompt read the same keys.
    const int64_t tasks = model.heads * count;
    const int64_t grain = (tasks + 4 * state.pool.threads() - 1) / (4 * state.pool.threads());
    state.pool.run(tasks, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        attend(state, static_cast<int64_t>(l), i % count, rows[i % count], i / count);
      }
    });
    product<T>(state.pool, work.mixed, work.sums, count, layer.projection, onto_x);
    normalize(layer.norm2);
    product<T>(state.pool, work.normed, work.sums, count, layer.inner,
               [&](int64_t n, int64_t i, Vec<T> sum) {
                 store(work.inner.row(n) + i, gelu<T>(sum));
               });
    product<T>(state.pool, work.inner, work.sums, count, layer.outer, onto_x);
  }
  normalize(model.last);
  product<T>(state.pool, work.normed, work.sums, count, model.head,
             [&](int64_t n, int64_t i, Vec<T> sum) {
               T* to = logits + n * model.vocabulary + i;
               if (i + kLanes<T> <= model.vocabulary) {
                 store(to, sum);
               } else if (i < model.vocabulary) {
                 std::memcpy(to, &sum, (model.vocabulary - i) * sizeof(T));
               }
             });
}

}  // namespace DECODE_VARIANT
}  // namespace decode
