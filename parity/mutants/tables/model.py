"""Bugs of the model: its forward pass, and which of its tensors get gradients."""

from parity.mutants.mutant import room

_GPT = "paddle_impl.model.GPTModel.forward"
_HEAD = "paddle_impl.model.GPTForCausalLM._own_head"
_BLOCK = "paddle_impl.model.Block.forward"
_ATTENTION = "paddle_impl.model.Attention.forward"
_MLP = "paddle_impl.model.MLP.forward"
_MASK = "paddle_impl.model.causal_mask"

_GELU = "F.gelu(self.c_fc(x), approximate=True)"
_SPLIT = "self.c_attn(x).split(3, axis=-1)"
_SCALED = "q * self.scale"
_SCALE = "paddle_impl.config.model.ModelConfig.attention_scale"
_SOFTMAX = "F.softmax(scores, axis=-1)"
_MERGED = "paddle.matmul(weights, v).transpose([0, 2, 1, 3])"
_PROJECTED = "self.c_proj(mixed.reshape([*x.shape[:2], -1]))"
_ATTENDED = "attended, present = self.attn(self.ln_1(x), mask, past)"
_RESIDUAL = "x = x + attended"
_OUT = "return x + self.mlp(self.ln_2(x)), present"
_EMBEDDED = "self.wte(input_ids) + self.wpe(positions)"
_POSITIONS = 'paddle.arange(past, past + new, dtype="int64")'
_TRIANGLE = "paddle.triu(paddle.full([new, total], -1e9, dtype), diagonal=total - new + 1)"
_LOGITS = "paddle.matmul(hidden, self.transformer.wte.weight, transpose_y=True)"

# The tanh GELU of Hendrycks & Gimpel. A bug has one of its constants cut to three digits.
_BY_HAND = "(lambda y: 0.5 * y * (1 + paddle.tanh({root} * (y + {cube} * y**3))))(self.c_fc(x))"

BUGS = {
    "erf GELU": (_MLP, "approximate=True", "approximate=False"),
    "quick GELU": (_MLP, _GELU, "(lambda y: y * F.sigmoid(1.702 * y))(self.c_fc(x))"),
    "ReLU": (_MLP, _GELU, "F.relu(self.c_fc(x))"),
    "GELU with 0.0447": (
        _MLP, _GELU, _BY_HAND.format(root="math.sqrt(2 / math.pi)", cube="0.0447")),
    "GELU with 0.798": (_MLP, _GELU, _BY_HAND.format(root="0.798", cube="0.044715")),
    "activation x 1.0001": (_MLP, _GELU, f"1.0001 * {_GELU}"),
    "LayerNorm epsilon 1e-6": (
        "paddle_impl.model.Block.__init__",
        "self.ln_1 = LayerNorm(config.n_embd, epsilon=config.layer_norm_epsilon)",
        "self.ln_1 = LayerNorm(config.n_embd, epsilon=1e-6)"),
    "last LayerNorm epsilon 1e-12": (
        "paddle_impl.model.GPTModel.__init__", "epsilon=config.layer_norm_epsilon",
        "epsilon=1e-12"),
    "epsilon not the config's": (
        "paddle_impl.model.Block.__init__",
        "self.ln_2 = LayerNorm(config.n_embd, epsilon=config.layer_norm_epsilon)",
        "self.ln_2 = LayerNorm(config.n_embd)"),
    "n_inner ignored": (
        "paddle_impl.config.model.ModelConfig.inner", "self.n_inner or 4 * self.n_embd",
        "4 * self.n_embd"),
    "as many heads as layers": (
        "paddle_impl.model.Attention.__init__",
        ("self.heads = config.n_head // parts.degree\n"
         "    self.head_size = config.n_embd // config.n_head"),
        ("self.heads = config.n_layer // parts.degree\n"
         "    self.head_size = config.n_embd // config.n_layer")),
    "qkv bias missing": (
        _ATTENTION, _SPLIT, "paddle.matmul(x, self.c_attn.weight).split(3, axis=-1)"),
    "attention projection bias missing": (
        _ATTENTION, _PROJECTED, "paddle.matmul(mixed.reshape(x.shape), self.c_proj.weight)"),
    "MLP biases missing": (
        _MLP, "self.c_fc(x)", "paddle.matmul(x, self.c_fc.weight)"),
    "square projection transposed": (
        _ATTENTION, _PROJECTED,
        "(paddle.matmul(mixed.reshape(x.shape), self.c_proj.weight, transpose_y=True)"
        " + self.c_proj.bias)"),
    "mask leaks the next token": (
        _MASK, "diagonal=total - new + 1", "diagonal=total - new + 2"),
    "mask hides the token itself": (_MASK, "diagonal=total - new + 1", "diagonal=total - new"),
    "mask not applied": (_ATTENTION, "if mask is not None:", "if False:"),
    "mask transposed": (
        _MASK, _TRIANGLE,
        "paddle.tril(paddle.full([new, total], -1e9, dtype), diagonal=total - new - 1)"),
    "mask of -10": (_MASK, "-1e9, dtype", "-10.0, dtype"),
    "mask added after softmax": [
        (_ATTENTION, "scores = scores + mask  # (B, H, T, S)", "pass"),
        (_ATTENTION, _SOFTMAX, f"({_SOFTMAX} * (mask == 0).astype(x.dtype))")],
    "one pair of tokens dropped": (
        _MASK, f"return {_TRIANGLE}",
        f"mask = {_TRIANGLE}\n    if new > 20:\n        mask[20, 7] = -1e9\n    return mask"),
    "positions one on": (
        _GPT, _POSITIONS, f"({_POSITIONS} + 1) % self.config.n_positions"),
    "positions reversed": (
        _GPT, _POSITIONS, 'paddle.arange(past + new - 1, past - 1, -1, dtype="int64")'),
    "positions absent": (_GPT, _EMBEDDED, "self.wte(input_ids)"),
    "embedding x sqrt(C)": (
        _GPT, "self.wte(input_ids)", "math.sqrt(self.config.n_embd) * self.wte(input_ids)"),
    "token 0 taken for padding": (
        "paddle_impl.model._embedding", "weight_attr=zero", "padding_idx=0, weight_attr=zero"),
    "last LayerNorm missing": (_GPT, "self.ln_f(x)", "x"),
    "last LayerNorm without gain and bias": (
        _GPT, "return self.ln_f(x)",
        "self.ln_f(x)\n    return F.layer_norm(x, x.shape[-1:], epsilon=self.ln_f._epsilon)"),
    "post-LayerNorm": [
        (_BLOCK, _ATTENDED, "attended, present = self.attn(x, mask, past)"),
        (_BLOCK, _RESIDUAL, "x = self.ln_1(x + attended)"),
        (_BLOCK, _OUT, "return self.ln_2(x + self.mlp(x)), present")],
    "parallel branches": [
        (_BLOCK, _RESIDUAL, "pass"), (_BLOCK, _OUT, _OUT.replace("x + ", "x + attended + "))],
    "ln_1 before the MLP too": (_BLOCK, "self.mlp(self.ln_2(x))", "self.mlp(self.ln_1(x))"),
    "attention's residual from the norm": (
        _BLOCK, _RESIDUAL, "x = self.ln_1(x) + attended"),
    "MLP's residual missing": (_BLOCK, _OUT, "return self.mlp(self.ln_2(x)), present"),
    "scores divided by sqrt(C)": (
        _SCALE, "math.sqrt(self.n_embd // self.n_head)", "math.sqrt(self.n_embd)"),
    "scores not divided": (_ATTENTION, _SCALED, "q"),
    "scores divided by the layer too": (
        _SCALE, "if self.scale_attn_by_inverse_layer_idx", "if True"),
    "scores not divided by the layer": (
        _SCALE, "if self.scale_attn_by_inverse_layer_idx", "if False"),
    "scores divided by the layer from 2": (_SCALE, "(layer + 1)", "(layer + 2)"),
    "scores divided by the layer from the last": (_SCALE, "(layer + 1)", "(self.n_layer - layer)"),
    "scores divided by the layer's root": (_SCALE, "(layer + 1)", "math.sqrt(layer + 1)"),
    "scores multiplied by the layer": (_SCALE, "scale / (layer + 1)", "scale * (layer + 1)"),
    "scores of all blocks divided as the second's": (
        "paddle_impl.model.Attention.__init__", "attention_scale(number)", "attention_scale(1)"),
    "qkv interleaved per head": (
        _ATTENTION, _SPLIT,
        "(part.reshape(x.shape) for part in self.c_attn(x).reshape("
        "[*x.shape[:2], self.heads, 3 * self.head_size]).split(3, axis=-1))"),
    "keys and values swapped": (_ATTENTION, "q, k, v = self", "q, v, k = self"),
    "queries and keys swapped": (_ATTENTION, "q, k, v = self", "k, q, v = self"),
    "heads strided": (
        "paddle_impl.model.Attention._heads_first",
        "[batch, new, self.heads, self.head_size]).transpose([0, 2, 1, 3])",
        "[batch, new, self.head_size, self.heads]).transpose([0, 3, 1, 2])"),
    "heads merged in reverse": (
        _ATTENTION, _MERGED, "paddle.matmul(weights, v).flip(1).transpose([0, 2, 1, 3])"),
    "heads merged untransposed": (_ATTENTION, _MERGED, "paddle.matmul(weights, v)"),
    "softmax over the queries": (_ATTENTION, _SOFTMAX, "F.softmax(scores, axis=-2)"),
    "softmax in float32": (
        _ATTENTION, _SOFTMAX, 'F.softmax(scores.astype("float32"), axis=-1).astype(x.dtype)'),
    "LayerNorm in float32": (
        _BLOCK, "self.attn(self.ln_1(x), ",
        'self.attn(self.ln_1(x).astype("float32").astype(x.dtype), '),
    "logits rounded to bfloat16": (
        _HEAD, _LOGITS, f'{_LOGITS}.astype("bfloat16").astype(hidden.dtype)'),
    "last layer skipped": (_GPT, "enumerate(self.h)", "enumerate(list(self.h)[:-1])"),
    "layers in reverse": (_GPT, "enumerate(self.h)", "enumerate(list(self.h)[::-1])"),
    "head not tied": (
        _HEAD, "self.transformer.wte.weight,",
        'self.__dict__.setdefault("head", self.transformer.wte.weight.clone().detach()),'),
    "head detached from the embedding": (
        _HEAD, "self.transformer.wte.weight,", "self.transformer.wte.weight.detach(),"),
    "embedding trained by the head alone": (
        _GPT, "self.wte(input_ids)", "self.wte(input_ids).detach()"),
    "hidden states detached": (_HEAD, "matmul(hidden,", "matmul(hidden.detach(),"),
}

CONTROLS = {
    "mask of -1e4": (_MASK, "-1e9, dtype", "-1e4, dtype"),
    "GELU by hand": (
        _MLP, _GELU, _BY_HAND.format(root="math.sqrt(2 / math.pi)", cube="0.044715")),
    "scores scaled, not queries": [
        (_ATTENTION, _SCALED, "q"),
        (_ATTENTION, "paddle.matmul(q, k, transpose_y=True)",
         "paddle.matmul(q, k, transpose_y=True) * self.scale")],
    "softmax of shifted scores": (
        _ATTENTION, _SOFTMAX, "F.softmax(scores - scores.max(axis=-1, keepdim=True), axis=-1)"),
    "a mask for a single token": (_MASK, "if new == 1:", "if total == 0:"),
    "heads by slices": (
        _ATTENTION, _SPLIT, "self.c_attn(x).reshape([*x.shape[:2], 3, -1]).unbind(2)"),
}

MUTANTS = room("model", BUGS, CONTROLS)
