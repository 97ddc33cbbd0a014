"""Bugs of random draws: dropout and its scale, and initial weights."""

from parity.mutants.mutant import room

_GPT = "paddle_impl.model.GPTModel"
_ATTENTION = "paddle_impl.model.Attention"
_MLP = "paddle_impl.model.MLP"
_FIRST = "paddle_impl.model.initialize"

_WEIGHTS = "self.attn_dropout(F.softmax(scores, axis=-1))"
_PROJECTED = "self.resid_dropout(self.c_proj(mixed.reshape([*x.shape[:2], -1])))"
_EMBEDDED = "self.drop(self.wte(input_ids) + self.wpe(positions))"
_HIDDEN = "F.gelu(self.c_fc(x), approximate=True)"
_STREAM = "[seed, zlib.crc32(name.encode())]"
_NORMAL = "stream.standard_normal(shapes[name], dtype=np.float32)"
_CONSTANT = 'if name.endswith("bias") or ".ln_" in name:'

BUGS = {
    "embedding dropout absent": (
        f"{_GPT}.forward", _EMBEDDED, "self.wte(input_ids) + self.wpe(positions)"),
    "attention dropout absent": (
        f"{_ATTENTION}.forward", _WEIGHTS, "F.softmax(scores, axis=-1)"),
    "attention's residual dropout absent": (
        f"{_ATTENTION}.forward", _PROJECTED, "self.c_proj(mixed.reshape(x.shape))"),
    "MLP's residual dropout absent": (
        f"{_MLP}.forward", f"self.dropout(self.c_proj({_HIDDEN}))", f"self.c_proj({_HIDDEN})"),
    "dropout before the MLP's projection": (
        f"{_MLP}.forward", f"self.dropout(self.c_proj({_HIDDEN}))",
        f"self.c_proj(self.dropout({_HIDDEN}))"),
    "dropout before softmax": (
        f"{_ATTENTION}.forward", _WEIGHTS, "F.softmax(self.attn_dropout(scores), axis=-1)"),
    "dropout of tokens, not of their sum": (
        f"{_GPT}.forward", _EMBEDDED, "self.drop(self.wte(input_ids)) + self.wpe(positions)"),
    "attention dropout in evaluation": (
        f"{_ATTENTION}.forward", _WEIGHTS,
        "F.dropout(F.softmax(scores, axis=-1), self.attn_dropout.p)"),
    "residual dropout in evaluation": (
        f"{_MLP}.forward", "self.dropout(self", "(lambda y: F.dropout(y, self.dropout.p))(self"),
    "dropout scaled in evaluation, not in training": (
        f"{_GPT}.__init__", "nn.Dropout(config.embd_pdrop)",
        'nn.Dropout(config.embd_pdrop, mode="downscale_in_infer")'),
    "attention dropout not scaled": (
        f"{_ATTENTION}.__init__", "nn.Dropout(config.attn_pdrop)",
        'nn.Dropout(config.attn_pdrop, mode="downscale_in_infer")'),
    "dropout of whole positions": (
        f"{_MLP}.__init__", "nn.Dropout(config.resid_pdrop)",
        "nn.Dropout(config.resid_pdrop, axis=[0, 1])"),
    "keeps what it should drop": (
        f"{_MLP}.__init__", "nn.Dropout(config", "nn.Dropout(1.0 - config"),
    "dropout of 0.1 whatever is configured": (
        f"{_MLP}.__init__", "nn.Dropout(config.resid_pdrop)", "nn.Dropout(0.1)"),
    "attention drops at the residual's rate": (
        f"{_ATTENTION}.__init__", "config.attn_pdrop", "config.resid_pdrop"),
    "same masks in every layer": (
        f"{_GPT}.forward", "x, present = block(",
        "state = paddle.get_rng_state() if layer == 0 else paddle.set_rng_state(state) or state\n"
        "        x, present = block("),
    "residual projections not scaled down": (
        _FIRST, "std /= math.sqrt(2 * config.n_layer)", "pass"),
    "residual projections over sqrt(n_layer)": (
        _FIRST, "math.sqrt(2 * config.n_layer)", "math.sqrt(config.n_layer)"),
    "residual projections scaled by heads": (
        _FIRST, "math.sqrt(2 * config.n_layer)", "math.sqrt(2 * config.n_head)"),
    "MLP's projection not scaled down": (
        _FIRST, 'name.endswith("c_proj.weight")', 'name.endswith("attn.c_proj.weight")'),
    "all c weights scaled down": (
        _FIRST, 'name.endswith("c_proj.weight")', '"c_" in name'),
    "initializer_range ignored": (_FIRST, "std = config.initializer_range", "std = 0.02"),
    "positions start at 0.01": (
        _FIRST, "std = config.initializer_range",
        'std = config.initializer_range * (0.5 if "wpe" in name else 1.0)'),
    "uniform first weights": (
        _FIRST, _NORMAL, "(12**0.5 * (stream.random(parameter.shape, dtype=np.float32) - 0.5))"),
    "truncated first weights": (_FIRST, _NORMAL, f"{_NORMAL}.clip(-2, 2)"),
    "same numbers in every tensor": (_FIRST, _STREAM, "[seed]"),
    "first biases not zero": (_FIRST, _CONSTANT, 'if ".ln_" in name:'),
    "first gains random": (_FIRST, _CONSTANT, 'if name.endswith("bias"):'),
    "seed of the first weights ignored": (_FIRST, _STREAM, "[0, zlib.crc32(name.encode())]"),
}

CONTROLS = {
    "dropout by a mask of its own": (
        f"{_MLP}.forward", "self.dropout(self",
        "(lambda y: y * self.dropout(paddle.ones_like(y)))(self"),
}

MUTANTS = room("dropout", BUGS, CONTROLS)
