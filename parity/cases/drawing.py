"""Random weights and batches, drawn from a generator. float32 holds all weights exactly."""

import numpy as np

from paddle_impl.config.model import ModelConfig

Batch = dict[str, np.ndarray]


def weights(config: ModelConfig, std: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Each tensor from N(0, std); LayerNorm gains from N(1, 0.1) and biases from N(0, 0.1)."""
    drawn = {}
    for name, shape in shapes(config).items():
        spread = 0.1 if "ln_" in name else std
        centre = 1.0 if "ln_" in name and name.endswith("weight") else 0.0
        values = centre + spread * rng.standard_normal(shape)
        drawn[name] = values.astype(np.float32)
    return drawn


def shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Every tensor of a checkpoint, under HF's name."""
    c, f = config.n_embd, config.inner
    found = {"wte.weight": (config.vocab_size, c), "wpe.weight": (config.n_positions, c)}
    for layer in range(config.n_layer):
        block = {
            "ln_1.weight": (c,), "ln_1.bias": (c,),
            "attn.c_attn.weight": (c, 3 * c), "attn.c_attn.bias": (3 * c,),
            "attn.c_proj.weight": (c, c), "attn.c_proj.bias": (c,),
            "ln_2.weight": (c,), "ln_2.bias": (c,),
            "mlp.c_fc.weight": (c, f), "mlp.c_fc.bias": (f,),
            "mlp.c_proj.weight": (f, c), "mlp.c_proj.bias": (c,),
        }
        found |= {f"h.{layer}.{name}": shape for name, shape in block.items()}
    found |= {"ln_f.weight": (c,), "ln_f.bias": (c,)}
    return {f"transformer.{name}": shape for name, shape in found.items()}


def batch(config: ModelConfig, rng: np.random.Generator, spans: list[tuple[int, int]]) -> Batch:
    """Random tokens at all positions, with `masked` labels; a row for each span."""
    return masked(random_tokens(config, rng, len(spans), config.n_positions + 1), spans)


def random_tokens(config: ModelConfig, rng: np.random.Generator, rows: int, length: int):
    """(rows, length) int64. Small ids are more frequent, so that a model can learn something."""
    return (config.vocab_size * rng.random((rows, length)) ** 2).astype(np.int64)


def masked(tokens: np.ndarray, spans: list[tuple[int, int]]) -> Batch:
    """A batch of inputs and labels from tokens (B, T + 1), int64.

    A row has labels from span[0] up to span[1]; all others are -100. From span[1] on the row is
    padding.
    """
    tokens = tokens.copy()
    labels = np.full((len(spans), tokens.shape[1] - 1), -100, np.int64)
    for row, (first, end) in enumerate(spans):
        labels[row, first:end] = tokens[row, first + 1 : end + 1]
        tokens[row, end + 1 :] = 0
    return {"input_ids": tokens[:, :-1], "labels": labels}
