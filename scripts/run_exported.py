"""Write text with a model that `run_generation.py --export OUT` wrote, in paddle.inference.

    python scripts/run_exported.py OUT --prompt "def " [--max_dec_len 64]
        [--decode_strategy sampling --top_k 5 --seed 123 ...] [--output_file FILE]

Flags, defaults, tokens and output are those of run_generation.py. Of paddle_impl it needs only
what has no model: config/, process/runtime.py, decoding/, generate.py, export/, text/json_lines.py
and evaluation/files.py.
"""

import sys
from dataclasses import field, fields, make_dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import args  # noqa: E402
from paddle_impl.config.generation import GenerationConfig  # noqa: E402
from run_generation import DEFAULT_PROMPTS  # noqa: E402

# Of run_generation.py's flags: those of the text, not of a model in memory or of a conversation.
FLAGS = (
    "prompt", "output_file", "decode_strategy", "top_k", "top_p", "temperature", "num_beams",
    "length_penalty", "early_stopping", "beam_score", "repetition_penalty", "no_repeat_ngram_size",
    "num_return_sequences", "min_dec_len", "max_dec_len", "eos_token_id", "stop", "seed",
)
PROG = "run_exported.py"


def main(argv: list[str] | None = None) -> None:
    config = parse(sys.argv[1:] if argv is None else argv)
    try:
        from paddle_impl.process import runtime

        runtime.import_paddle("cpu")
        run(config)
    except (ValueError, OSError) as error:
        args.fail(PROG, error)
    except KeyboardInterrupt:
        sys.exit(130)


def parse(argv: list[str]) -> GenerationConfig:
    """The folder first, then flags; a bad value exits with one line."""
    flags = make_dataclass("Flags", [
        (flag.name, flag.type, field(default=flag.default, metadata=flag.metadata))
        for flag in fields(GenerationConfig) if flag.name in FLAGS
    ])
    out = [argument for argument in argv[:1] if not argument.startswith("-")]
    given = args.parse(flags, f"{PROG} OUT", __doc__.splitlines()[0], argv[len(out) :])
    try:
        if not out:
            raise ValueError(f'name the exported model first: {PROG} OUT --prompt "def "')
        return GenerationConfig(model_name_or_path=out[0], device="cpu", **vars(given))
    except ValueError as error:
        args.fail(PROG, error)


def run(config: GenerationConfig) -> None:
    """Print as run_generation.py does, write JSON lines if asked."""
    from data_tools.tokenizing.tokenizer import load_tokenizer
    from paddle_impl.decoding.prompt import prompt_ids
    from paddle_impl.decoding.sequences import uniform_draws
    from paddle_impl.evaluation.files import check_place
    from paddle_impl.export import files
    from paddle_impl.export.running import continue_prompts
    from paddle_impl.text.json_lines import line_writer

    if config.output_file != "-":
        check_place(config.output_file, "--output_file")
    out = Path(config.model_name_or_path)
    export = files.read(out)
    decoding = config.decoding((export.eos_token_id,), export.vocab_size)
    tokenizer = load_tokenizer(out)
    prompts = config.prompt or DEFAULT_PROMPTS
    encoded = [prompt_ids(tokenizer, prompt) for prompt in prompts]
    found = continue_prompts(out, export, encoded, decoding,
                             lambda number: uniform_draws(config.seed, number),
                             tokenizer.decode_bytes)
    with line_writer(config.output_file, PROG) as write_line:
        for prompt, continuations in zip(prompts, found, strict=True):
            for number, one in enumerate(continuations):
                if config.output_file != "-":
                    print(f"{'*' * 10} GENERATED SEQUENCE {number} {'*' * 10}\n{prompt}{one.text}")
                write_line({
                    "prompt": prompt, "text": one.text, "token_ids": one.token_ids,
                    "score": one.score, "finish_reason": one.finish_reason,
                })


if __name__ == "__main__":
    main()
