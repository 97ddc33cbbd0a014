"""Write text with a trained GPT. See --help for the flags."""

import json
import os
from pathlib import Path

import args

DEFAULT_PROMPTS = ("from", "import", "def")  # upstream's test.txt


def main(argv: list[str] | None = None) -> None:
    config = args.parse_generation(argv)
    try:
        from paddle_impl import runtime

        runtime.import_paddle(config.device)
        run(config)
    except (ValueError, OSError) as error:
        args.fail("run_generation.py", error)


def run(config) -> None:
    """Generate for every prompt, print as PaddleNLP does, write JSON lines if asked."""
    from data_tools.tokenizer import Tokenizer, load_tokenizer
    from paddle_impl import checkpoint
    from paddle_impl.generate import generate, uniform_draws

    model = checkpoint.load_model(Path(config.model_name_or_path))
    if config.vocab_file is not None:
        tokenizer = Tokenizer.from_vocab_and_merges(config.vocab_file, config.merge_file)
    else:
        tokenizer = load_tokenizer(config.model_name_or_path)
    eos = tokenizer.eos_token_id
    prompts = _prompts(config)
    # A prompt without a character starts a new document.
    encoded = [[int(i) for i in tokenizer.encode(p)] or [eos] for p in prompts]
    for prompt, ids in zip(prompts, encoded, strict=True):
        if len(ids) >= model.config.n_positions:
            raise ValueError(f"a prompt of {len(ids)} tokens ({prompt[:30]!r}...) leaves no room "
                             f"in the model's {model.config.n_positions} positions")
    records = []
    for index, (prompt, ids) in enumerate(zip(prompts, encoded, strict=True)):
        sampled = config.decode_strategy == "sampling"
        found = generate(
            model, ids, max_new_tokens=config.max_dec_len, min_new_tokens=config.min_dec_len,
            sequences=config.num_return_sequences,
            draws=uniform_draws(config.seed, index) if sampled else None,
            temperature=config.temperature, top_k=config.top_k, top_p=config.top_p,
            eos_token_id=eos, vocab_size=min(tokenizer.vocab_size, model.config.vocab_size),
        )
        for number, continuation in enumerate(found):
            text = tokenizer.decode(continuation.token_ids)
            print("*" * 10, f"GENERATED SEQUENCE {number}", "*" * 10)
            print(prompt + text, flush=True)
            records.append({
                "prompt": prompt, "text": text, "token_ids": continuation.token_ids,
                "score": continuation.score, "finish_reason": continuation.finish_reason,
            })
    if config.output_file:
        _write_lines(Path(config.output_file), records)


def _prompts(config) -> list[str]:
    if config.prompt is not None:
        return config.prompt
    if config.prompt_file is None:
        return list(DEFAULT_PROMPTS)
    try:
        prompts = Path(config.prompt_file).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ValueError(f"{config.prompt_file} is not UTF-8 text") from None
    if not prompts:
        raise ValueError(f"{config.prompt_file} has no lines")
    return prompts


def _write_lines(path: Path, records: list[dict]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
