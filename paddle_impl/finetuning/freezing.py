"""Which parameters of a classifier are trained, by the names of Raschka's policies."""

from paddle_impl.model import GPT

# How many of the last blocks are trained, with the last LayerNorm.
_BLOCKS = {"last_layer": 0, "last_block": 1, "last_two_blocks": 2}


def freeze(model: GPT, policy: str) -> None:
    """Let only these be trained, in place: all; the head and some of the last blocks; or the head.
    """
    if policy == "all":
        return
    blocks, layers = _BLOCKS[policy], model.config.n_layer
    trained = [f"transformer.h.{number}." for number in range(max(0, layers - blocks), layers)]
    trained += ["transformer.ln_f."] * (blocks > 0)
    for name, parameter in model.named_parameters():
        parameter.stop_gradient = name.startswith("transformer.") and not name.startswith(
            tuple(trained))
