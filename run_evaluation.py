"""Measure a trained GPT on held-out documents. See --help for the flags."""

import json
import math
from functools import partial
from pathlib import Path

import args


def main(argv: list[str] | None = None) -> None:
    config = args.parse_evaluation(argv)
    try:
        from paddle_impl import runtime

        runtime.import_paddle(config.device)
        run(config)
    except (ValueError, OSError) as error:
        args.fail("run_evaluation.py", error)


def run(config) -> None:
    """Loss, perplexity and bits per byte of one split's documents, beside gzip's."""
    from tqdm import tqdm

    from data_tools.splits import SPLITS, split_bounds
    from data_tools.tokenizer import load_tokenizer
    from paddle_impl import checkpoint
    from paddle_impl.config.options import require, split_shares
    from paddle_impl.data.sources import check_tokenizer, open_dataset
    from paddle_impl.evaluate import code_length

    model = checkpoint.load_model(Path(config.model_name_or_path))
    tokenizer = load_tokenizer(config.model_name_or_path)
    tokens = open_dataset(config.input_dir)
    check_tokenizer(tokens, tokenizer)
    bounds = split_bounds(split_shares(config.split), len(tokens))
    which = SPLITS.index(config.split_name)
    documents = [tokens.document(i) for i in range(bounds[which], bounds[which + 1])]
    require(len(documents) > 0, f"the {config.split_name} split of {tokens.prefix} is empty")
    window = config.max_seq_len or model.config.n_positions
    require(window <= model.config.n_positions,
            f"--max_seq_len {window} is beyond the model's {model.config.n_positions} positions")
    stride = config.stride or max(1, window // 2)
    require(stride <= window, f"--stride {stride} is beyond the window of {window} tokens")

    result = code_length(
        model, documents, tokenizer.decode_bytes, eos_token_id=tokenizer.eos_token_id,
        window=window, stride=stride,
        progress=partial(tqdm, desc="evaluating", leave=False, disable=None),
    )
    print(f"{config.split_name} split: {len(documents)} files, {result.bytes:,} bytes, "
          f"{result.tokens:,} tokens, windows of {window} moved by {stride}")
    print(f"  loss            {result.loss:8.4f} nats a token")
    print(f"  perplexity      {math.exp(result.loss):8.2f}")
    print(f"  bits per byte   {result.bits_per_byte:8.4f}")
    print(f"  gzip -9         {result.gzip_bits_per_byte:8.4f} bits per byte on the same files")
    if config.output_file:
        numbers = {
            "split": config.split_name, "files": len(documents), "bytes": result.bytes,
            "tokens": result.tokens, "loss": result.loss, "bits_per_byte": result.bits_per_byte,
            "gzip_bits_per_byte": result.gzip_bits_per_byte, "window": window, "stride": stride,
        }
        Path(config.output_file).write_text(json.dumps(numbers) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
