"""Bugs of adapters: their layers, their sizes, their files, and merging."""

from parity.mutants.mutant import room

_LINEAR = "paddle_impl.lora.layers.LoraLinear"
_FORWARD = f"{_LINEAR}.forward"
_DELTA = f"{_LINEAR}.delta"
_ROWS = "paddle_impl.lora.layers.TokenRows.merged"
_EMBEDDING = "paddle_impl.lora.layers.Embedding"
_BLOCKS = "paddle_impl.lora.layers.blocks"
_CONFIG = "paddle_impl.lora.adapter_config.AdapterConfig"
_APPLY = "paddle_impl.lora.applying.apply_lora"
_FORM = "paddle_impl.lora.applying.in_peft_form"
_CONVERTED = "paddle_impl.lora.applying._converted"
_TOO = "paddle_impl.lora.applying._train_too"
_MERGED = "paddle_impl.lora.merging.merged"
_TO_PEFT = "paddle_impl.lora.merging.to_peft"
_MATCHED = "paddle_impl.lora.targets.matched"
_LOOKED_UP = "paddle_impl.lora.targets.looked_up"
_LOAD = "paddle_impl.lora.loading.load_adapted"

_LOW = "low = self.lora_A(self.lora_dropout(x)) * self.scaling"
_ADDED = "self.base_layer(x) + paddle.matmul(low, self._b(), transpose_y=True)"
_BIAS = 'config.bias == "lora_only" and layer in adapted'

BUGS = {
    "alpha / r left out": (_FORWARD, " * self.scaling", ""),
    "alpha / r twice": (_FORWARD, " * self.scaling", " * self.scaling * self.scaling"),
    "adapter subtracted": (_FORWARD, "(x) + paddle", "(x) - paddle"),
    "the base's output left out": (_FORWARD, "self.base_layer(x) + ", ""),
    "dropout on the input of the base too": (
        _FORWARD, "self.base_layer(x)", "self.base_layer(self.lora_dropout(x))"),
    "dropout on the base instead": [
        (_FORWARD, "self.base_layer(x)", "self.base_layer(self.lora_dropout(x))"),
        (_FORWARD, _LOW, "low = self.lora_A(x) * self.scaling")],
    "dropout behind A": (
        _FORWARD, "self.lora_A(self.lora_dropout(x))",
        "self.lora_A(x) * self.lora_dropout(paddle.ones_like(x))[..., : self.lora_A.weight.shape[0]"
        "]"),
    "no dropout of the adapter": (_FORWARD, "self.lora_dropout(x)", "x"),
    "A and B swapped in square layers": (
        _FORWARD, _LOW,
        "if x.shape[-1] == self.lora_B.weight.shape[0]:\n"
        "        low = paddle.matmul(self.lora_dropout(x), self.lora_B.weight) * self.scaling\n"
        "        return self.base_layer(x) + paddle.matmul(low, self.lora_A.weight)\n"
        f"    {_LOW}"),
    "A has no gradient": (_FORWARD, "paddle.matmul(low,", "paddle.matmul(low.detach(),"),
    "the adapter's input has no gradient": (
        _FORWARD, "self.lora_dropout(x)", "self.lora_dropout(x).detach()"),
    "merged square layers transposed": (
        _DELTA, "return (b @ a).T", "return (b @ a if len(b) == a.shape[1] else (b @ a).T)"),
    "merged without alpha / r": (_DELTA, " * self.scaling", ""),
    "k is adapted in v's place": (_BLOCKS, "np.flatnonzero(enabled)", "range(sum(enabled))"),
    "parts of c_attn share their ranks": (
        _BLOCKS, "column * width : (column + 1) * width", ":"),
    "all parts of c_attn are trained": (
        f"{_LINEAR}._b", "b * self.blocks.astype(b.dtype)", "b"),
    "B of q and v below each other in q and k": (
        _TO_PEFT, "whole[part * height : (part + 1) * height,",
        "whole[column * height : (column + 1) * height,"),
    "rsLoRA without the root": (f"{_CONFIG}.scaling", "math.sqrt(rank)", "rank"),
    "the root without rsLoRA": (f"{_CONFIG}.scaling", "if self.use_rslora", "if True"),
    "the factor by the common rank": (
        f"{_CONFIG}.scaling", "else alpha / rank", "else alpha / self.r"),
    "rank patterns ignored": (
        f"{_CONFIG}.size", "targets.looked_up(self.rank_pattern, name, self.r)", "self.r"),
    "alpha patterns ignored": (
        f"{_CONFIG}.size", "targets.looked_up(self.alpha_pattern, name, self.lora_alpha)",
        "self.lora_alpha"),
    "a pattern for the whole name": (_LOOKED_UP, r'rf"(.*\.)?({pattern})$"', 'rf"({pattern})$"'),
    "the last pattern counts": (
        _LOOKED_UP, "patterns.items()", "reversed(patterns.items())"),
    "patterns of the flags left out": (_FORM, "rank_pattern=options.ranks", "rank_pattern={}"),
    "alphas of the flags left out": (
        _FORM, "{key: _number(value) for key, value in options.alphas.items()}", "{}"),
    "rsLoRA of the flags left out": (_FORM, 'options.lora_scaling == "rslora"', "False"),
    "blocks of the flags left out": (
        _FORM, "tuple(options.lora_layers) if options.lora_layers else None", "None"),
    "dropout of the flags left out": (
        _FORM, "lora_dropout=options.lora_dropout", "lora_dropout=0.0"),
    "dropout of the file left out": (_APPLY, "config.lora_dropout, enabled", "0.0, enabled"),
    "alpha alone is divided by r": (_CONVERTED, '"alpha": rank * parts', '"alpha": parts'),
    "alpha of parts not multiplied": (_CONVERTED, '"alpha/r": parts', '"alpha/r": 1'),
    "blocks counted from 1": (
        "paddle_impl.lora.targets._block", "int(match[1])", "int(match[1]) + 1"),
    "blocks ignored": (_MATCHED, "if layers and not isinstance(targets, str):", "if False:"),
    "all layers but the last": (_APPLY, "for name in chosen:", "for name in chosen[:-1]:"),
    "the base is not frozen": (
        _APPLY, "parameter.stop_gradient = True", 'parameter.stop_gradient = parameter.ndim == 1'),
    "all is frozen but the first block": (
        _APPLY, "parameter.stop_gradient = True",
        "parameter.stop_gradient = parameter is not model.transformer.h[0].mlp.c_fc.weight"),
    "biases of every layer": (_TOO, _BIAS, 'config.bias == "lora_only"'),
    "biases of adapted layers stay": (_TOO, _BIAS, "False"),
    "biases of adapted layers are not all": (
        _TOO, 'config.bias == "all" or', 'config.bias == "all" and layer not in adapted or'),
    "whole layers stay": (_TOO, "for one in config.modules_to_save:", "for one in ():"),
    "rows of tokens are added": (
        _ROWS, "paddle.scatter(self.base_layer.weight, index, self.trainable_tokens_delta)",
        "paddle.scatter_nd_add(self.base_layer.weight, index.unsqueeze(1), "
        "self.trainable_tokens_delta)"),
    "rows of tokens in order of their numbers": (_ROWS, "self.indices,", "sorted(self.indices),"),
    "rows of tokens are not the head's": [
        (f"{_EMBEDDING}.forward", "self.weight", "self.token_adapter.merged()"),
        (f"{_EMBEDDING}.weight", "self.token_adapter.merged()",
         "self.token_adapter.base_layer.weight")],
    "rows of tokens are the head's alone": (
        f"{_EMBEDDING}.forward", "self.weight", "self.token_adapter.base_layer.weight"),
    "merged twice": (_MERGED, "+ layer.delta()", "+ layer.delta() + layer.delta()"),
    "merged by taking away": (_MERGED, "+ layer.delta()", "- layer.delta()"),
    "adapters removed, not merged": (_MERGED, "+ layer.delta()", "+ 0.0 * layer.delta()"),
    "merged rows of tokens lost": (
        _MERGED, "model.transformer.wte.weight.set_value(rows)", "pass"),
    "merged in half precision": (
        _DELTA, 'matrix.astype("float64").numpy()', 'matrix.astype("float16").numpy()'),
    "an adapter's tensors not loaded": (_LOAD, "stored.fill(model)", "pass"),
    "patterns not written": (f"{_CONFIG}.to_json", "own[key] = dict(own[key])", "own[key] = {}"),
    "what is not known is ignored": (
        f"{_CONFIG}.of", "if value and key not in _FIELDS and key not in _NOTES:", "if False:"),
    "adapters of other kinds are opened": (
        f"{_CONFIG}.of", '(kind := values.get("peft_type")) != "LORA"',
        '(kind := values.get("peft_type")) is None'),
    "values of other kinds are opened": (
        f"{_CONFIG}._check", "if (value := getattr(self, key)) not in known:", "if False:"),
}

CONTROLS = {
    "the factor behind B": [
        (_FORWARD, _LOW, "low = self.lora_A(self.lora_dropout(x))"),
        (_FORWARD, _ADDED, f"{_ADDED} * self.scaling")],
    "rows of tokens put in by a sum": (
        _ROWS, "self.trainable_tokens_delta)", "self.trainable_tokens_delta, overwrite=False)"),
    "peft finds out by itself how weights are stored": (
        f"{_CONFIG}.to_json", '"fan_in_fan_out": True', '"fan_in_fan_out": False'),
}

MUTANTS = room("lora", BUGS, CONTROLS)
