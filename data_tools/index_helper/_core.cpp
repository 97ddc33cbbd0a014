// The loops over all samples that numpy does with several times the memory or the time.
// reference.py says in a few lines what they compute; the tests hold the two together.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace py = pybind11;

namespace {

constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr int64_t kAhead = 32;  // memory asked for so many steps before it is needed

struct Span {
  const int32_t* data;
  int64_t size;
};

[[noreturn]] void fail(const std::string& message) { throw py::value_error(message); }

// No cast: a silent copy of an int64 array would cut its values, and hide gigabytes.
template <typename T>
py::array row_of(const py::object& object, const char* name, const char* type) {
  if (!py::isinstance<py::array_t<T, py::array::c_style>>(object)) {
    fail(std::string(name) + " must be a contiguous " + type + " numpy array");
  }
  auto array = py::reinterpret_borrow<py::array>(object);
  if (array.ndim() != 1) {
    fail(std::string(name) + " must have 1 dimension, not " + std::to_string(array.ndim()));
  }
  return array;
}

Span int32_row(const py::object& object, const char* name) {
  const auto array = row_of<int32_t>(object, name, "int32");
  return {static_cast<const int32_t*>(array.data()), array.size()};
}

// Writes rows of (position in doc_idx, offset in that document): where each sample begins.
// Returns the tokens of all documents. Each is checked as it passes, because a pass of its own
// over shuffled documents would take as long as the walk.
int64_t walk(Span sizes, Span doc_idx, int64_t seq_length, int64_t rows, int32_t* out) {
  out[0] = 0;
  out[1] = 0;
  // A sample is seq_length + 1 tokens; its last token is the next sample's first.
  int64_t row = 1, first = seq_length, begin = 0;
  for (int64_t position = 0; position < doc_idx.size; ++position) {
    // Shuffled documents miss the caches; a wrong address does no harm to a prefetch.
    __builtin_prefetch(sizes.data + doc_idx.data[std::min(position + kAhead, doc_idx.size - 1)]);
    const int64_t document = doc_idx.data[position];
    if (document < 0 || document >= sizes.size) {
      fail("doc_idx[" + std::to_string(position) + "] is " + std::to_string(document) +
           ", but sizes has " + std::to_string(sizes.size) + " documents");
    }
    if (sizes.data[document] < 0) {
      fail("sizes[" + std::to_string(document) +
           "] is negative: " + std::to_string(sizes.data[document]));
    }
    const int64_t end = begin + sizes.data[document];
    while (row < rows && first < end) {
      out[2 * row] = static_cast<int32_t>(position);
      out[2 * row + 1] = static_cast<int32_t>(first - begin);
      first += seq_length;
      ++row;
    }
    begin = end;
  }
  return begin;
}

py::array_t<int32_t> build_sample_idx(const py::object& sizes_object,
                                      const py::object& doc_idx_object, int64_t seq_length,
                                      int64_t num_epochs, int64_t tokens_per_epoch) {
  const Span sizes = int32_row(sizes_object, "sizes");
  const Span doc_idx = int32_row(doc_idx_object, "doc_idx");
  if (seq_length < 1) fail("seq_length must be at least 1, not " + std::to_string(seq_length));
  if (num_epochs < 1) fail("num_epochs must be at least 1, not " + std::to_string(num_epochs));
  if (tokens_per_epoch < 1) {
    fail("tokens_per_epoch must be at least 1, not " + std::to_string(tokens_per_epoch));
  }
  if (doc_idx.size > kInt32Max) fail("doc_idx has more entries than int32 can number");
  if (num_epochs > std::numeric_limits<int64_t>::max() / tokens_per_epoch) {
    fail("num_epochs * tokens_per_epoch does not fit 64 bits");
  }
  const int64_t tokens = num_epochs * tokens_per_epoch;
  const int64_t rows = (tokens - 1) / seq_length + 1;
  py::array_t<int32_t> result({rows, int64_t{2}});
  int32_t* out = result.mutable_data();
  int64_t found;
  {
    py::gil_scoped_release unlocked;
    found = walk(sizes, doc_idx, seq_length, rows, out);
  }
  if (found != tokens) {
    fail("doc_idx holds " + std::to_string(found) + " tokens, num_epochs * tokens_per_epoch is " +
         std::to_string(tokens));
  }
  return result;
}

// Gives each sample to the dataset that is furthest behind its share; ties to the first.
void blend(const double* weights, int64_t datasets, int64_t size, int16_t* dataset_index,
           int64_t* dataset_sample_index) {
  std::vector<int64_t> taken(datasets, 0);
  for (int64_t sample = 0; sample < size; ++sample) {
    const double samples = std::max(static_cast<double>(sample), 1.0);
    int64_t chosen = 0;
    double furthest = weights[0] * samples - static_cast<double>(taken[0]);
    for (int64_t i = 1; i < datasets; ++i) {
      const double behind = weights[i] * samples - static_cast<double>(taken[i]);
      if (behind > furthest) {
        furthest = behind;
        chosen = i;
      }
    }
    dataset_index[sample] = static_cast<int16_t>(chosen);
    dataset_sample_index[sample] = taken[chosen]++;
  }
}

py::tuple build_blending_indices(const py::object& weights_object, int64_t size) {
  const auto weights = row_of<double>(weights_object, "weights", "float64");
  const auto* shares = static_cast<const double*>(weights.data());
  const int64_t datasets = weights.size();
  if (datasets < 1 || datasets > std::numeric_limits<int16_t>::max()) {
    fail("weights must be of 1 to 32767 datasets, not " + std::to_string(datasets));
  }
  for (int64_t i = 0; i < datasets; ++i) {
    if (!(shares[i] > 0) || !std::isfinite(shares[i])) {
      fail("weights[" + std::to_string(i) + "] must be positive, not " + std::to_string(shares[i]));
    }
  }
  if (size < 0) fail("size must not be negative, it is " + std::to_string(size));
  py::array_t<int16_t> dataset_index(size);
  py::array_t<int64_t> dataset_sample_index(size);
  int16_t* index = dataset_index.mutable_data();
  int64_t* sample_index = dataset_sample_index.mutable_data();
  {
    py::gil_scoped_release unlocked;
    blend(shares, datasets, size, index, sample_index);
  }
  return py::make_tuple(dataset_index, dataset_sample_index);
}

// MT19937 (Matsumoto and Nishimura 1998), continued from the state of a numpy RandomState.
struct Twister {
  static constexpr int kWords = 624, kMiddle = 397;
  uint32_t* key;
  int position;

  uint32_t next() {
    if (position == kWords) {
      for (int i = 0; i < kWords; ++i) {
        const uint32_t y = (key[i] & 0x80000000u) | (key[(i + 1) % kWords] & 0x7fffffffu);
        key[i] = key[(i + kMiddle) % kWords] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
      }
      position = 0;
    }
    uint32_t y = key[position++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
  }

  // 0..max without bias: numpy's random_interval. mask: the bits that max needs.
  uint32_t interval(uint32_t max, uint32_t mask) {
    uint32_t value;
    do value = next() & mask;
    while (value > max);
    return value;
  }
};

// Fisher and Yates from the end, as RandomState.shuffle. The places are drawn ahead of the swaps
// so that the memory they lie in is on its way: a shuffle is little else than cache misses.
template <typename T>
void shuffle_row(T* row, int64_t size, Twister& random) {
  uint32_t places[kAhead];
  uint32_t mask = 1;
  while (mask < size - 1) mask = 2 * mask + 1;
  for (int64_t last = size - 1; last > 0;) {
    const int64_t count = std::min(kAhead, last);
    for (int64_t i = 0; i < count; ++i) {
      const auto max = static_cast<uint32_t>(last - i);
      if ((mask >> 1) >= max) mask >>= 1;
      places[i] = random.interval(max, mask);
      __builtin_prefetch(&row[places[i]], 1);
    }
    for (int64_t i = 0; i < count; ++i) std::swap(row[last - i], row[places[i]]);
    last -= count;
  }
}

int shuffle(py::array order, py::array_t<uint32_t> key, int position) {
  if (order.ndim() != 1 || !(order.flags() & py::array::c_style)) {
    fail("order must be one contiguous row");
  }
  if (order.size() > int64_t{1} << 32) fail("order must have at most 2^32 entries");
  const int64_t bytes = order.itemsize();
  if (bytes != 4 && bytes != 8) fail("order must be of 32 or 64 bits");
  if (key.size() != Twister::kWords || position < 0 || position > Twister::kWords) {
    fail("key and position must be those of a RandomState");
  }
  void* row = order.mutable_data();
  const int64_t size = order.size();
  Twister random{key.mutable_data(), position};
  {
    py::gil_scoped_release unlocked;
    if (bytes == 4) {
      shuffle_row(static_cast<uint32_t*>(row), size, random);
    } else {
      shuffle_row(static_cast<uint64_t*>(row), size, random);
    }
  }
  return random.position;
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "Compiled part of data_tools.index_helper.";
  m.def("build_sample_idx", &build_sample_idx, py::arg("sizes"), py::arg("doc_idx"),
        py::arg("seq_length"), py::arg("num_epochs"), py::arg("tokens_per_epoch"),
        "int32 [(E*T - 1) // L + 1, 2], (position in doc_idx, offset): where each sample begins, "
        "and where the last one ends. Source: Megatron-LM. Specification: reference.py.");
  m.def("build_blending_indices", &build_blending_indices, py::arg("weights"), py::arg("size"),
        "(dataset int16, its sample int64) of each sample. Specification: reference.py.");
  m.def("shuffle", &shuffle, py::arg("order"), py::arg("key"), py::arg("position"),
        "RandomState.shuffle in place; changes the state's key, returns its new position.");
}
