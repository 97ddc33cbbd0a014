// One training sample out of the mapped ids, some thousand times a second for as long as a run
// lasts. reference.py says in a few lines what it copies; the tests hold the two together.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace py = pybind11;

namespace {

[[noreturn]] void fail(const std::string& message) { throw py::value_error(message); }

template <typename T>
bool is_row(const py::array& array) {
  return array.ndim() == 1 && py::isinstance<py::array_t<T, py::array::c_style>>(array);
}

// Documents may have changed since the index was built: every place is checked before it is read.
template <typename T>
void copy_tokens(const py::array& ids, const py::array& offsets, const py::array& doc_idx,
                 const int32_t* from, int64_t* out, int64_t wanted) {
  const auto* tokens = static_cast<const T*>(ids.data());
  const auto* begins = static_cast<const int64_t*>(offsets.data());
  const auto* documents = static_cast<const int32_t*>(doc_idx.data());
  const int64_t first = from[0], begin = from[1], last = from[2], end = from[3];
  if (first < 0 || last >= doc_idx.size()) fail("the sample lies beyond doc_idx");
  int64_t filled = 0;
  for (int64_t position = first; position <= last; ++position) {
    const int64_t document = documents[position];
    if (document < 0 || document + 1 >= offsets.size()) {
      fail("doc_idx names document " + std::to_string(document) + " of " +
           std::to_string(offsets.size() - 1));
    }
    int64_t start = begins[document], stop = begins[document + 1];
    if (position == last) stop = start + end + 1;
    if (position == first) start += begin;
    const int64_t count = stop - start;
    if (start < 0 || count < 0 || stop > ids.size() || filled + count > wanted) {
      fail("the index is not of these documents");
    }
    std::copy(tokens + start, tokens + stop, out + filled);
    filled += count;
  }
  if (filled != wanted) {
    fail("the sample has " + std::to_string(filled) + " tokens, wanted are " +
         std::to_string(wanted));
  }
}

void copy_sample(const py::array& ids, const py::array& offsets, const py::array& doc_idx,
                 const py::array& sample_idx, int64_t i, py::array& out) {
  if (!is_row<int64_t>(offsets) || !is_row<int32_t>(doc_idx) || sample_idx.ndim() != 2 ||
      sample_idx.shape(1) != 2 ||
      !py::isinstance<py::array_t<int32_t, py::array::c_style>>(sample_idx)) {
    fail("offsets must be int64 [documents + 1], doc_idx int32 [positions], sample_idx int32 "
         "[samples + 1, 2], all contiguous");
  }
  if (!is_row<int64_t>(out)) fail("out must be one contiguous row of int64");
  if (i < 0 || i + 1 >= sample_idx.shape(0)) {
    fail("sample " + std::to_string(i) + " of " + std::to_string(sample_idx.shape(0) - 1));
  }
  const auto* from = static_cast<const int32_t*>(sample_idx.data()) + 2 * i;
  auto* to = static_cast<int64_t*>(out.mutable_data());
  if (is_row<uint16_t>(ids)) {
    copy_tokens<uint16_t>(ids, offsets, doc_idx, from, to, out.size());
  } else if (is_row<int32_t>(ids)) {
    copy_tokens<int32_t>(ids, offsets, doc_idx, from, to, out.size());
  } else {
    fail("ids must be one contiguous row of uint16 or int32");
  }
}

}  // namespace

PYBIND11_MODULE(_samples, m) {
  m.doc() = "Compiled part of data_tools.index_helper: reading samples.";
  m.def("copy_sample", &copy_sample, py::arg("ids"), py::arg("offsets"), py::arg("doc_idx"),
        py::arg("sample_idx"), py::arg("i"), py::arg("out"),
        "Fill `out`, int64 [L + 1], with the tokens of sample i. Specification: reference.py.");
}
