"""Bugs of an exported model: its graph, the cache that is fed to it, and what the folder says."""

from parity.mutants.mutant import room

_ATTENTION = "paddle_impl.export.graph.ExportedGraph._attention"
_LOGITS = "paddle_impl.export.graph.ExportedGraph._logits"
_DECODER = "paddle_impl.export.decoder.ExportedDecoder"
_FEED = f"{_DECODER}._feed"
_FILL = "paddle_impl.export.writing._fill"

_COPY = "self._cache[target, :length] = self._cache[source, :length]"
_SHARED = "slice(rows[0], rows[0] + 1) if len(rows) == 1 else rows"

BUGS = {
    "exported: scores not scaled": (_ATTENTION, "q * block.attn.scale", "q"),
    "exported: scores scaled by all heads": (
        _ATTENTION, "block.attn.scale", "block.attn.scale / self.heads ** 0.5"),
    "exported: scores as the first block's": (
        _ATTENTION, "block.attn.scale", "self.model.transformer.h[0].attn.scale"),
    "exported: new keys before the past": (_ATTENTION, "[past[0], k]", "[k, past[0]]"),
    "exported: past values are keys": (_ATTENTION, "[past[1], v]", "[past[0], v]"),
    "exported: queries kept for keys": (_ATTENTION, "qkv[:, :, 1:]", "qkv[:, :, :2]"),
    "exported: the past of the first layer": (_LOGITS, "past[layer]", "past[0]"),
    "exported: no residual around the MLP": (
        _LOGITS, "x = x + block.mlp(block.ln_2(x))", "x = block.mlp(block.ln_2(x))"),
    "exported: next token after the first": (_LOGITS, "x[:, -1]", "x[:, 0]"),
    "exported: steps at position 0": (_FEED, "np.arange(past, total)", "np.arange(new)"),
    "exported: no mask": (_FEED, "past + 1)", "total)"),
    "exported: steps masked as if first": (_FEED, "past + 1)", "1)"),
    "exported: new keys at the cache's beginning": (
        _FEED, "self._cache[rows, past:total]", "self._cache[rows, :new]"),
    "exported: the length is not that of the row": (
        f"{_DECODER}.copy", "self._lengths[target] = length", "pass"),
    "exported: a copy without the last token": (
        f"{_DECODER}.copy", _COPY, _COPY.replace(":length", ": length - 1")),
    "exported: logits in the order of lengths": [
        (f"{_DECODER}.step", "logits: list = [None] * len(rows)", "logits: list = []"),
        (f"{_DECODER}.step", "logits[index] = own", "logits.append(own)")],
    "exported: tokens in the order of lengths": (
        f"{_DECODER}.step", "tokens[same, None]", "tokens[: len(same), None]"),
    "exported: the model's vocabulary": (
        _FILL, "min(tokenizer.vocab_size, config.vocab_size)", "config.vocab_size"),
    "exported: one end token": (
        _FILL, "list(end_tokens(config, tokenizer))", "list(end_tokens(config, tokenizer))[:1]"),
    "exported: the tokenizer's end token": (
        _FILL, "list(end_tokens(config, tokenizer))", "[tokenizer.eos_token_id]"),
}

CONTROLS = {
    "exported: rows always gathered": (_FEED, _SHARED, "list(rows)"),
}

MUTANTS = room("export", BUGS, CONTROLS)
