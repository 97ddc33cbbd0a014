"""`python -m paddle_impl.merge_adapter BASE ADAPTER OUT`: a whole model that holds the adapter.

The base is not changed, so it is what unmerging would give.
"""

import argparse
import sys
from pathlib import Path

PROG = "paddle_impl.merge_adapter"


def main(argv: list[str] | None = None) -> None:
    """Exits with 2 and one line on standard error for a user's mistake."""
    parser = argparse.ArgumentParser(prog=f"python -m {PROG}", description=(
        "Add a LoRA adapter to the weights of its base, in float32, and write a whole model with "
        "its tokenizer. The base stays as it is."))
    parser.add_argument("base", type=Path, help="directory of the weights that it was trained on")
    parser.add_argument("adapter", type=Path, help="directory with adapter_config.json and "
                        "adapter_model.safetensors, of this project or of peft")
    parser.add_argument("out", type=Path, help="directory to write, which must not be there")
    options = parser.parse_args(argv)
    try:
        print("\n".join(merge(options.base, options.adapter, options.out)))
    except (ValueError, OSError) as error:
        print(f"{PROG}: error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


def merge(base: Path, adapter: Path, out: Path) -> list[str]:
    """Merge, write, open what was written, and compare; returns lines that tell what was done.

    ValueError where `out` is there, and where the base or the adapter is not what it should be.
    """
    from paddle_impl.process.runtime import import_paddle
    paddle = import_paddle("cpu")
    import numpy as np

    from paddle_impl import checkpoint, lora
    from paddle_impl.checkpoint import plain

    plain.check_free(out)
    model = lora.load_adapted(base, adapter)
    told = [lora.describe(model)]
    length = min(64, model.config.n_positions)
    ids = paddle.to_tensor(np.random.default_rng(0).integers(
        0, model.config.vocab_size, (4, length), np.int64))

    def logits(one) -> np.ndarray:
        one.eval()
        with paddle.no_grad():
            return one(ids).numpy()

    before = logits(model)
    tokenizer = checkpoint.load_tokenizer(adapter) or checkpoint.load_tokenizer(base)
    if tokenizer is None:
        told.append(f"neither {adapter} nor {base} has a tokenizer: {out} has none")
    lora.merged(model)
    plain.write_model(out, model, tokenizer)
    written = checkpoint.load_language_model(out)
    for (name, one), (_, other) in zip(
            model.named_parameters(), written.named_parameters(), strict=True):
        if not np.array_equal(one.numpy(), other.numpy()):
            raise OSError(f"{out} does not hold what was written: {name} differs")
    change = float(np.abs(logits(written) - before).max())
    return [*told, f"wrote {out} and opened it again: all {len(written.parameters())} tensors are "
            f"as merged; merging changes a logit by at most {change:.1e}, of "
            f"{np.abs(before).max():.1f} (over {4 * length} tokens)"]


if __name__ == "__main__":
    main()
