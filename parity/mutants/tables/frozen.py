"""Bugs of training with frozen parameters."""

from parity.mutants.mutant import room

_GPT = "paddle_impl.model.GPTModel.forward"
_SHARE = "paddle_impl.optim.sharding.Share.__init__"
_OPTIMIZER = "paddle_impl.optim.optimizer.Optimizer"
_NORM = "paddle_impl.layers.layer_norm.LayerNorm.forward"

_MARK = "x.stop_gradient = False  # else"
_CHOSEN = "if not parameter.stop_gradient]"
_UPDATE = "self.rule.step()"
_CLIP = "clip_grad_norm(self.share.weights, "

BUGS = {
    "recompute of blocks whose input is frozen": (_GPT, _MARK, "pass  # else"),
    "only the first block's input is marked": (
        _GPT, _MARK, "x.stop_gradient = layer > 0 and x.stop_gradient  # else"),
    "LayerNorm with a frozen gain, by Paddle's kernel": (
        _NORM, "if x.stop_gradient or not self.weight.stop_gradient:", "if True:"),
    "LayerNorm with a frozen gain, without it": (
        _NORM, "gain, self.bias", "paddle.ones_like(gain), self.bias"),
    "LayerNorm with a frozen gain, with another epsilon": (_NORM, "self._epsilon", "1e-5"),
    "LayerNorm with a frozen gain, without its bias": (_NORM, "gain, self.bias,", "gain, None,"),
    "frozen parameters have moments": (_SHARE, _CHOSEN, "]"),
    "biases are frozen": (
        _SHARE, _CHOSEN, 'if not parameter.stop_gradient and not name.endswith("ln_f.bias")]'),
    "frozen parameters decay": (
        f"{_OPTIMIZER}.step", _UPDATE,
        f"{_UPDATE}\n    for p in self.model.parameters():\n        if p.stop_gradient:\n"
        "            p.set_value(p.detach() * 0.9999)"),
    "frozen parameters move with the mean update": (
        f"{_OPTIMIZER}.step", _UPDATE,
        f"{_UPDATE}\n    for p in self.model.parameters():\n        if p.stop_gradient:\n"
        "            p.set_value(p.detach() + 1e-9)"),
    "clip without the first trainable parameter": (
        f"{_OPTIMIZER}.clip_gradients", _CLIP, "clip_grad_norm(self.share.weights[1:], "),
    "clip of all, with frozen ones as one each": (
        f"{_OPTIMIZER}.clip_gradients", "max_norm,",
        "max_norm / (1.0 + sum(p.stop_gradient for p in self.model.parameters())),"),
    "frozen weights saved in the lower type": (
        f"{_OPTIMIZER}.weights", "self.share.frozen.get(name, array)", "array"),
    "frozen weights kept after the cast": (_SHARE, "parameter.numpy() for", (
        'parameter.astype(precision.dtype).astype(parameter.dtype).numpy() for')),
}

CONTROLS = {
    "frozen blocks are recomputed too": (
        _GPT, "if recompute and not (x.stop_gradient and _frozen(block)):", "if recompute:"),
}

MUTANTS = room("frozen", BUGS, CONTROLS)
