"""Bugs of the decode step in C++, and of how Python feeds it."""

from parity.mutants.mutant import room

_MODULE = "paddle_impl.kernels._decode"
_STEP = f"{_MODULE}.step"
_ATTEND = f"{_MODULE}.attend"
_NORM = f"{_MODULE}.layer_norm"
_ROWS = f"{_MODULE}.Rows"
_ENGINE = f"{_MODULE}.Engine"
_MATRIX = f"{_MODULE}.Matrix"
_CACHE = f"{_MODULE}.Cache"
_PRODUCT = f"{_MODULE}.product"
_VECTORS = f"{_MODULE}.vectors"
_DECODER = f"{_MODULE}.Decoder"
_QUERIES = "paddle_impl.decoding.native_decoder._scaled_queries"
_NATIVE = "paddle_impl.decoding.native_decoder.NativeDecoder"

_VARIANCE = "dot(out, out, width) / count + epsilon"
_LAYERS = "static_cast<int64_t>(model.layers.size())"
_U = "(x + cubed * static_cast<T>(0.044715)) * scale"
_OWNERS = "std::copy_n(owners(source), lengths[source], &owner_[target * positions_]);"

BUGS = {
    "C++: variance of a sample": (_NORM, _VARIANCE, _VARIANCE.replace("count", "(count - 1)")),
    "C++: norm without epsilon": (_NORM, _VARIANCE, "dot(out, out, width) / count"),
    "C++: norm without its bias": (_NORM, "norm.gain[i] + norm.bias[i]", "norm.gain[i]"),
    "C++: norm without the mean": (_NORM, "out[i] = x[i] - mean", "out[i] = x[i]"),
    "C++: scores not scaled": (_ATTEND, "query[i] *= scale;", "query[i] *= 1;"),
    "C++: a new key is a value": (
        _ATTEND, "std::copy_n(query + width, size, keys", "std::copy_n(query + 2 * width, size, "
                                                          "keys"),
    "C++: a new value is a key": (
        _ATTEND, "std::copy_n(query + 2 * width, size, values",
        "std::copy_n(query + width, size, values"),
    "C++: a token does not see itself": (
        _ATTEND, "softmax(scores, length);", "softmax(scores, length - 1); scores[length - 1] = 0;"
    ),
    "C++: copied rows read their own memory": (
        _ATTEND, "base + owners[s] * state.cache.row", "base + row * state.cache.row"),
    "C++: the end of a head is left out": (_ATTEND, "for (; d < size; ++d) {",
                                           "for (; d < 0; ++d) {"),
    "C++: scores of the end of a head left out": (
        _VECTORS, "if (i < count) totals += load_first(a + i, count - i) * "
        "load_first(b + i, count - i);", ""),
    "C++: sums without the end": (
        _VECTORS, "if (i < count) totals += load_first(x + i, count - i);", ""),
    "C++: half of a vector summed twice": (
        _VECTORS, "halves[0] += halves[1];", "halves[0] += halves[0];"),
    "C++: a step at the position before": (
        _STEP, "(state.rows.lengths[rows[n]] - 1) * width",
        "(state.rows.lengths[rows[n]] - 2) * width"),
    "C++: positions of the first row": (
        _STEP, "(state.rows.lengths[rows[n]] - 1) * width",
        "(state.rows.lengths[rows[0]] - 1) * width"),
    "C++: no residual": (
        _STEP, "store(work.x.row(n) + i, load(work.x.row(n) + i) + sum);",
        "store(work.x.row(n) + i, sum);"),
    "C++: the past of the row beside": (
        _STEP, "i % count, rows[i % count],", "i % count, rows[(i + 1) % count],"),
    "C++: no last norm": (_STEP, "normalize(model.last);", ""),
    "C++: GELU's cube rounded": (_VECTORS, _U, _U.replace("0.044715", "0.0447")),
    "C++: a wrong factor of the exponential": (
        _VECTORS, "1.0 / 40320, 1.0 / 5040, 1.0 / 720", "1.0 / 40320, 1.0 / 5040, 1.0 / 702"),
    "C++: exponentials end at -7": (_VECTORS, "least = -708.0", "least = -7.0"),
    "C++: a copy begins anew": (_ROWS, "lengths[target] = lengths[source];", ""),
    "C++: a copy lacks the last position": (
        _ROWS, _OWNERS, _OWNERS.replace("lengths[source]", "lengths[source] - 1")),
    "C++: new positions in a lender's memory": (
        _ROWS, "owner_[row * positions_ + position] = static_cast<int32_t>(row);", ""),
    "C++: values of a prompt are keys": (
        _ENGINE, "std::copy_n(values + head * size", "std::copy_n(keys + head * size"),
    "C++: all prompts in the first row": (
        _ENGINE, "layer * cache_->layer + row * cache_->row", "layer * cache_->layer"),
    "C++: the first norm before the MLP": (
        _ENGINE, "norm(from.norm2_gain, from.norm2_bias", "norm(from.norm1_gain, from.norm2_bias"),
    "C++: attention's projection with the MLP's bias": (
        _ENGINE, "from.projection, from.projection_bias", "from.projection, from.outer_bias"),
    "C++: no biases": (_MATRIX, "std::copy_n(bias, out, matrix.bias.get());", ""),
    "C++: heads overlap": (_CACHE, "head(positions * model.size())", "head(model.size())"),
    "C++: layers overlap": [  # as much memory as before, or the process would crash or hang
        (_CACHE, "layer(rows * row)", "layer(row)"),
        (_CACHE, f"keys({_LAYERS} * layer)", f"keys({_LAYERS} * rows * row)"),
        (_CACHE, f"values({_LAYERS} * layer)", f"values({_LAYERS} * rows * row)")],
    "C++: the end of a sum left out": (
        _PRODUCT, "k < matrix.in; k += kStrip", "k + kStrip <= matrix.in; k += kStrip"),
    "C++: sums of the step before go on": (
        _PRODUCT, "r < rows; ++r) std::copy_n(bias", "r < 1; ++r) std::copy_n(bias"),
    "C++: every layer is the first": (
        _DECODER, "sources.push_back(layer(i, shape))", "sources.push_back(layer(0, shape))"),
    "C++: the second norm's bias is the first's": (
        _DECODER, 'own("ln_2.bias", {width})', 'own("ln_1.bias", {width})'),
    "native decoder's epsilon is the usual one": (
        f"{_NATIVE}.__init__", "float(np.float32(config.layer_norm_epsilon))", "1e-5"),
    "native decoder loads values for keys": (
        f"{_NATIVE}.prefill", "keys.numpy()[0], values.numpy()[0]",
        "values.numpy()[0], keys.numpy()[0]"),
    "native decoder copies backwards": (
        f"{_NATIVE}.copy", "copy(source, target)", "copy(target, source)"),
    "native decoder's scores not divided by the layer": (
        f"{_NATIVE}.__init__", "if config.scale_attn_by_inverse_layer_idx:", "if False:"),
    "native decoder's scores always divided by the layer": (
        f"{_NATIVE}.__init__", "if config.scale_attn_by_inverse_layer_idx:", "if True:"),
    "native decoder divides keys by the layer": (
        _QUERIES, "[..., : config.n_embd]", "[..., config.n_embd : 2 * config.n_embd]"),
    "native decoder divides queries' weights alone": (
        _QUERIES, '("weight", "bias")', '("weight",)'),
    "native decoder divides queries from 2": (_QUERIES, "/= layer + 1", "/= layer + 2"),
    "native decoder with dropout": (f"{_NATIVE}.__init__", "model.eval()", "pass"),
}

CONTROLS = {
    "C++: exponentials less one more": (
        f"{_MODULE}.softmax", "load(scores + i) - most", "load(scores + i) - (most + 1)"),
    "C++: the last vector is copied": (
        _STEP, "if (i + kLanes<T> <= model.vocabulary) {",
        "if (i + kLanes<T> < model.vocabulary) {"),
    "C++: shorter strips": (f"{_MODULE}.variants", "kStrip = 64;", "kStrip = 16;"),
    "native decoder with two threads": (
        f"{_NATIVE}.__init__", "threads or thread_count()", "threads or 2"),
}

MUTANTS = room("kernels", BUGS, CONTROLS)
