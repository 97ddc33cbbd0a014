"""Write text with a trained GPT. See --help for the flags."""

import sys
from pathlib import Path

import args

DEFAULT_PROMPTS = ("from", "import", "def")  # upstream's test.txt


def main(argv: list[str] | None = None) -> None:
    config = args.parse_generation(argv)
    args.plain_warnings()
    try:
        from paddle_impl.process import runtime

        runtime.import_paddle(config.device)
        run(config)
    except (ValueError, OSError) as error:
        args.fail("run_generation.py", error)
    except KeyboardInterrupt:
        sys.exit(130)


def run(config) -> None:
    """Text for prompts, in a conversation, or the model in another form."""
    from paddle_impl.evaluation.files import check_place
    from paddle_impl.generate import check_end_tokens
    from paddle_impl.text.generator import TextGenerator

    if config.output_file != "-":
        check_place(config.output_file, "--output_file")
    streams = _streams(config)
    generator = TextGenerator.load(config.model_name_or_path, config.vocab_file, config.merge_file,
                         decoder=config.decoder, rows=1 if streams else config.batch_size)
    generator.check_family(config.model_type)
    check_end_tokens(config.eos_token_id or (), generator.vocab_size)
    if config.export is not None:
        from paddle_impl.export import export_model

        export_model(generator.model, generator.tokenizer, Path(config.export))
        print(f"wrote {config.export}; scripts/run_exported.py writes text with it")
    elif config.serve:
        _serve(generator, config)
    elif config.interactive:
        from paddle_impl.text.conversation import Conversation

        Conversation(generator, config).run()
    else:
        _write(generator, config, streams)


def _serve(generator, config) -> None:
    from dataclasses import fields

    from paddle_impl.config.serving import ServingFlags, ServingOptions
    from paddle_impl.serving import serve

    own = {item.name: getattr(config, item.name) for item in fields(ServingFlags)}
    serve(generator.model, generator.tokenizer, ServingOptions(
        **own, model_name_or_path=config.model_name_or_path, rows=config.batch_size,
        decoder=config.decoder, eos_token_ids=tuple(config.eos_token_id or ()),
    ))


def _streams(config) -> bool:
    """Token by token, one prompt after the other."""
    single = config.decode_strategy != "beam_search" and config.num_return_sequences == 1
    on_a_terminal = sys.stdout.isatty() and single and config.output_file != "-"
    return on_a_terminal if config.stream is None else config.stream


def _write(generator, config, streams: bool) -> None:
    """Every prompt's continuations: shown as PaddleNLP shows them, or as JSON lines."""
    from paddle_impl.text.json_lines import line_writer
    from paddle_impl.text.prompts import read_prompts

    decoding = config.decoding((generator.tokenizer.eos_token_id,), generator.vocab_size)
    prompts = list(config.prompt or DEFAULT_PROMPTS)
    if config.prompt_file is not None:
        prompts = read_prompts(config.prompt_file)
    encoded = [generator.ids(prompt) for prompt in prompts]
    begun = set()

    def show(index: int, number: int, text: str) -> None:
        if index not in begun:
            begun.add(index)
            print(f"{_header(number)}\n{prompts[index]}", end="")
        print(text, end="", flush=True)

    with line_writer(config.output_file, "run_generation.py") as write_line:
        for index, found in generator.generate(encoded, decoding, config.seed,
                                         show if streams else None):
            for number, one in enumerate(found):
                if streams:
                    print()
                elif config.output_file != "-":
                    print(f"{_header(number)}\n{prompts[index]}{one.text}", flush=True)
                write_line({
                    "prompt": prompts[index], "text": one.text, "token_ids": one.token_ids,
                    "score": one.score, "finish_reason": one.finish_reason,
                })


def _header(number: int) -> str:
    return f"{'*' * 10} GENERATED SEQUENCE {number} {'*' * 10}"


if __name__ == "__main__":
    main()
