// The decode step of GPT-2 for CPUs: it feeds each of N rows a token and reads the weights once.
// decode/step.h computes it, decode/engine.h holds the state, this file is the Python interface.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <vector>

#include "decode/engine.h"

namespace py = pybind11;

namespace {

using Sizes = std::vector<int64_t>;

std::string text(const Sizes& sizes) {
  std::string result = "(";
  for (const int64_t size : sizes) result += std::to_string(size) + ",";
  return result + ")";
}

// The array is read in place, without a cast, so it must have the type that the engine computes in.
template <typename T>
const T* numbers(const py::handle& object, const Sizes& shape, const std::string& name) {
  if (!py::isinstance<py::array_t<T, py::array::c_style>>(object)) {
    throw py::value_error(name + " must be a contiguous numpy array of the decoder's dtype");
  }
  const auto array = py::reinterpret_borrow<py::array>(object);
  const Sizes found(array.shape(), array.shape() + array.ndim());
  if (found != shape) {
    throw py::value_error(name + " has shape " + text(found) + ", expected " + text(shape));
  }
  return static_cast<const T*>(array.data());
}

Sizes shape_of(const py::dict& weights, const char* name) {
  const auto array = py::cast<py::array>(weights[name]);
  return Sizes(array.shape(), array.shape() + array.ndim());
}

template <typename T>
class Decoder {
 public:
  Decoder(const py::dict& weights, int64_t layers, int64_t heads, double epsilon, int64_t rows,
          int64_t positions, int threads, const std::string& instructions)
      : weights_(weights) {
    const Sizes tokens = shape_of(weights, "wte.weight"), learned = shape_of(weights, "wpe.weight");
    if (tokens.size() != 2 || learned.size() != 2 || layers < 1 || heads < 1 ||
        tokens[1] % heads != 0) {
      throw py::value_error("wte.weight and wpe.weight must be matrices, their width a multiple "
                            "of the heads, and there must be a layer");
    }
    if (rows < 1 || positions < 1 || positions > learned[0] || threads < 1) {
      throw py::value_error("rows and threads must be at least 1, and positions from 1 to " +
                            std::to_string(learned[0]));
    }
    const int64_t inner = shape_of(weights, "h.0.mlp.c_fc.bias").at(0);
    const decode::Shape shape{tokens[1], heads, inner, tokens[0], learned[0], epsilon};
    std::vector<decode::LayerSource<T>> sources;
    for (int64_t i = 0; i < layers; ++i) sources.push_back(layer(i, shape));
    const T* token_rows = get("wte.weight", tokens);
    const T* position_rows = get("wpe.weight", learned);
    const T* gain = get("ln_f.weight", {shape.width});
    const T* bias = get("ln_f.bias", {shape.width});
    py::gil_scoped_release unlocked;
    engine_ = std::make_unique<decode::Engine<T>>(shape, token_rows, position_rows, sources, gain,
                                                  bias, rows, positions, threads, instructions);
  }

  void fill(int64_t row, int64_t length) {
    py::gil_scoped_release unlocked;
    engine_->fill(row, length);
  }

  void load(int64_t row, int64_t layer, const py::object& keys, const py::object& values) {
    const int64_t length = engine_->length(row);
    if (layer < 0 || layer >= engine_->layers()) throw py::value_error("there is no such layer");
    const Sizes shape{engine_->heads(), length, engine_->width() / engine_->heads()};
    const T* k = numbers<T>(keys, shape, "keys");
    const T* v = numbers<T>(values, shape, "values");
    py::gil_scoped_release unlocked;
    engine_->load(row, layer, length, k, v);
  }

  void copy(int64_t source, int64_t target) {
    py::gil_scoped_release unlocked;
    engine_->copy(source, target);
  }

  py::array_t<T> step(const Sizes& rows, const Sizes& tokens) {
    if (rows.size() != tokens.size()) {
      throw py::value_error(std::to_string(rows.size()) + " rows, but " +
                            std::to_string(tokens.size()) + " tokens");
    }
    const auto count = static_cast<int64_t>(rows.size());
    py::array_t<T> logits({count, engine_->vocabulary()});
    T* out = logits.mutable_data();
    {
      py::gil_scoped_release unlocked;
      engine_->step(rows.data(), tokens.data(), count, out);
    }
    return logits;
  }

  int64_t length(int64_t row) const { return engine_->length(row); }

 private:
  const T* get(const std::string& name, const Sizes& shape) const {
    return numbers<T>(weights_[name.c_str()], shape, name);
  }

  decode::LayerSource<T> layer(int64_t i, const decode::Shape& shape) const {
    const int64_t width = shape.width, inner = shape.inner;
    const auto own = [&](const char* name, const Sizes& sizes) {
      return get("h." + std::to_string(i) + "." + name, sizes);
    };
    return {own("ln_1.weight", {width}), own("ln_1.bias", {width}),
            own("attn.c_attn.weight", {width, 3 * width}), own("attn.c_attn.bias", {3 * width}),
            own("attn.c_proj.weight", {width, width}), own("attn.c_proj.bias", {width}),
            own("ln_2.weight", {width}), own("ln_2.bias", {width}),
            own("mlp.c_fc.weight", {width, inner}), own("mlp.c_fc.bias", {inner}),
            own("mlp.c_proj.weight", {inner, width}), own("mlp.c_proj.bias", {width})};
  }

  py::dict weights_;  // keeps the embeddings alive, which are not copied
  std::unique_ptr<decode::Engine<T>> engine_;
};

template <typename T>
void define(py::module_& module, const char* name) {
  using D = Decoder<T>;
  py::class_<D>(module, name)
      .def(py::init<const py::dict&, int64_t, int64_t, double, int64_t, int64_t, int,
                    const std::string&>(),
           py::arg("weights"), py::arg("layers"), py::arg("heads"), py::arg("epsilon"),
           py::arg("rows"), py::arg("positions"), py::arg("threads"), py::arg("instructions"))
      .def("fill", &D::fill, py::arg("row"), py::arg("length"),
           "Empty the row; the keys and values of `length` tokens come with `load`.")
      .def("load", &D::load, py::arg("row"), py::arg("layer"), py::arg("keys"), py::arg("values"),
           "Keys and values (H, L, D) of one layer.")
      .def("copy", &D::copy, py::arg("source"), py::arg("target"),
           "The target row holds what the source holds.")
      .def("length", &D::length, py::arg("row"), "Tokens that the row holds.")
      .def("step", &D::step, py::arg("rows"), py::arg("tokens"),
           "Feed each row a token: logits (N, V).");
}

}  // namespace

PYBIND11_MODULE(_decode, module) {
  module.doc() = "The decode step of GPT-2 for CPUs, in float32 and float64.";
  module.def("instruction_sets", &decode::instruction_sets,
             "Names of what this processor can run, the fastest first.");
  define<float>(module, "Decoder32");
  define<double>(module, "Decoder64");
}
