"""Write text with a model that `run_generation.py --export OUT` wrote, in paddle.inference.

    python scripts/run_exported.py OUT --prompt "def " [--max_dec_len 64]
        [--decode_strategy sampling --top_k 5 --seed 123 ...] [--output_file FILE]

Flags, defaults, tokens and output are those of run_generation.py. Of paddle_impl it needs what
holds no model: export, decoding, config, generate.py, process/runtime.py, text/writing.py and
evaluation/files.py.
"""

import sys
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import args  # noqa: E402
from paddle_impl.config.decoding import DecodingOptions  # noqa: E402
from paddle_impl.config.options import Options, changed, flag, group, require  # noqa: E402
from paddle_impl.config.prompts import OutputOptions, PromptOptions  # noqa: E402
from paddle_impl.config.runtime import RuntimeOptions  # noqa: E402

PROG = "run_exported.py"


@dataclass(frozen=True, kw_only=True)
class ExportedConfig(Options):
    """The flags of run_generation.py that do not concern a model in memory."""

    out: str | None = flag(None, "the directory that --export wrote", positional=True)
    prompts: PromptOptions = group(PromptOptions, only=("prompt", "suffix", "fim_mode"))
    output: OutputOptions = group(OutputOptions)
    decoding: DecodingOptions = group(
        DecodingOptions, min_dec_len=changed(
            None, "new tokens before an end token may come (default: 1; with a suffix 0)"))
    runtime: RuntimeOptions = group(RuntimeOptions, only=("seed",), device="cpu")

    def __post_init__(self):
        require(self.out is not None,
                f'name the exported model first: {PROG} OUT --prompt "def "')
        require(self.prompts.fim_mode == "psm" or self.prompts.suffix is not None,
                "--fim_mode is the order around a gap: it needs --suffix")


def main(argv: list[str] | None = None) -> None:
    config = args.parse(ExportedConfig, PROG, __doc__.splitlines()[0], argv)
    try:
        from paddle_impl.process import runtime

        runtime.import_paddle(config.runtime.device)
        run(config)
    except (ValueError, OSError) as error:
        args.fail(PROG, error)
    except KeyboardInterrupt:
        sys.exit(130)


def run(config: ExportedConfig) -> None:
    """Print texts as run_generation.py does, and write JSON lines with --output_file."""
    from data_tools.tokenizing.tokenizer import load_tokenizer
    from paddle_impl.decoding.sequences import uniform_draws
    from paddle_impl.evaluation.files import check_place
    from paddle_impl.export import files
    from paddle_impl.export.running import continue_prompts
    from paddle_impl.text.json_lines import line_writer
    from paddle_impl.text.prompts import prompts_of
    from paddle_impl.text.writing import before, header, record

    output_file = config.output.output_file
    if output_file != "-":
        check_place(output_file, "--output_file")
    out = Path(config.out)
    export = files.read(out)
    settings = config.decoding.settings(export.end_tokens, export.vocab_size)
    tokenizer = load_tokenizer(out)
    prompts = prompts_of(config.prompts)
    encoded, settings = _encoded(config, prompts, tokenizer, settings, export.positions)
    found = continue_prompts(out, export, encoded, settings,
                             lambda number: uniform_draws(config.runtime.seed, number),
                             tokenizer.decode_bytes)
    with line_writer(output_file, PROG) as write_line:
        for prompt, continuations in zip(prompts, found, strict=True):
            for number, one in enumerate(continuations):
                if output_file != "-":
                    print(f"{header(number)}\n{before(prompt)}{one.text}")
                write_line(record(*prompt, one))


def _encoded(config: ExportedConfig, prompts: list, tokenizer, settings, positions: int):
    """The prompts' ids, and the settings; those of gaps are text.generator.TextGenerator's."""
    from data_tools.fim_prompt import FimPrompts
    from paddle_impl.decoding.prompt import prompt_ids

    if config.prompts.suffix is None:
        return [prompt_ids(tokenizer, prompt.text) for prompt in prompts], settings
    fim = FimPrompts(tokenizer)
    settings = replace(settings, min_new_tokens=config.decoding.min_dec_len or 0,
                       eos_token_ids=(*settings.eos_token_ids, *fim.end_tokens))
    most = positions - min(settings.max_new_tokens, positions // 2)
    gaps = [fim.prompt(*prompt, most, mode=config.prompts.fim_mode) for prompt in prompts]
    if cut := sum(any(gap.cut) for gap in gaps):
        warnings.warn(f"{cut} of {len(gaps)} gaps are cut to {most} tokens: the start of the "
                      "prompt and the end of the suffix are left out", stacklevel=2)
    return [gap.ids for gap in gaps], settings


if __name__ == "__main__":
    main()
