// The one loop over all samples that numpy does with several times the memory.
// reference.py says in a few lines what it computes; the tests hold the two together.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <limits>
#include <string>

namespace py = pybind11;

namespace {

constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();

struct Span {
  const int32_t* data;
  int64_t size;
};

[[noreturn]] void fail(const std::string& message) { throw py::value_error(message); }

// No cast: a silent copy of an int64 array would cut its values, and hide gigabytes.
Span int32_row(const py::object& object, const char* name) {
  if (!py::isinstance<py::array_t<int32_t, py::array::c_style>>(object)) {
    fail(std::string(name) + " must be a contiguous int32 numpy array");
  }
  auto array = py::reinterpret_borrow<py::array>(object);
  if (array.ndim() != 1) {
    fail(std::string(name) + " must have 1 dimension, not " + std::to_string(array.ndim()));
  }
  return {static_cast<const int32_t*>(array.data()), array.size()};
}

// After this no read below can leave `sizes` or `doc_idx`, and no offset can be negative.
void check_documents(Span sizes, Span doc_idx, int64_t tokens) {
  for (int64_t i = 0; i < sizes.size; ++i) {
    if (sizes.data[i] < 0) {
      fail("sizes[" + std::to_string(i) + "] is negative: " + std::to_string(sizes.data[i]));
    }
  }
  int64_t total = 0;
  for (int64_t i = 0; i < doc_idx.size; ++i) {
    const int64_t document = doc_idx.data[i];
    if (document < 0 || document >= sizes.size) {
      fail("doc_idx[" + std::to_string(i) + "] is " + std::to_string(document) + ", but sizes has " +
           std::to_string(sizes.size) + " documents");
    }
    total += sizes.data[document];
  }
  if (total != tokens) {
    fail("doc_idx holds " + std::to_string(total) + " tokens, num_epochs * tokens_per_epoch is " +
         std::to_string(tokens));
  }
}

// Writes rows of (position in doc_idx, offset in that document): where each sample begins.
void walk(Span sizes, Span doc_idx, int64_t seq_length, int64_t rows, int32_t* out) {
  int64_t position = 0;
  int64_t offset = 0;
  out[0] = 0;
  out[1] = 0;
  for (int64_t row = 1; row < rows; ++row) {
    // A sample is seq_length + 1 tokens; its last token is the next sample's first.
    int64_t remaining = seq_length + 1;
    while (true) {
      const int64_t available = sizes.data[doc_idx.data[position]] - offset;
      if (available >= remaining) break;
      remaining -= available;
      ++position;
      offset = 0;
    }
    offset += remaining - 1;
    out[2 * row] = static_cast<int32_t>(position);
    out[2 * row + 1] = static_cast<int32_t>(offset);
  }
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
  {
    py::gil_scoped_release unlocked;
    check_documents(sizes, doc_idx, tokens);
  }
  const int64_t rows = (tokens - 1) / seq_length + 1;
  py::array_t<int32_t> result({rows, int64_t{2}});
  int32_t* out = result.mutable_data();
  {
    py::gil_scoped_release unlocked;
    walk(sizes, doc_idx, seq_length, rows, out);
  }
  return result;
}

}  // namespace

PYBIND11_MODULE(_core, m) {
  m.doc() = "Compiled part of data_tools.index_helper.";
  m.def("build_sample_idx", &build_sample_idx, py::arg("sizes"), py::arg("doc_idx"),
        py::arg("seq_length"), py::arg("num_epochs"), py::arg("tokens_per_epoch"),
        R"(int32 [(E*T - 1) // L + 1, 2]: where each sample begins, and where the last one ends.

A row is (position in doc_idx, offset in that document). sizes int32 [documents] and doc_idx
int32 [positions] must be contiguous arrays of exactly that type; doc_idx must hold
num_epochs * tokens_per_epoch tokens. Anything else raises ValueError.
Source: Megatron-LM, build_sample_idx; specification in reference.py.)");
}
