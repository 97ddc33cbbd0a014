"""Write text with a trained GPT. See --help for the flags."""

import sys
from dataclasses import replace
from pathlib import Path

import args
from paddle_impl.config.generation import GenerationConfig

PROG = "run_generation.py"
# Flags of --serve that are for text alone.
_OF_TEXTS = {"language", "fim_mode", "decoder", "eos_token_id", "max_prompt_tokens",
             "max_new_tokens", "queue_timeout"}


def parse(argv: list[str] | None = None) -> GenerationConfig:
    return args.parse(GenerationConfig, PROG, "Write text with a trained GPT.", argv)


def main(argv: list[str] | None = None) -> None:
    config = parse(argv)
    args.plain_warnings()
    try:
        from paddle_impl.process import runtime

        runtime.import_paddle(config.runtime.device)
        run(config)
    except (ValueError, OSError) as error:
        args.fail(PROG, error)
    except KeyboardInterrupt:
        sys.exit(130)


def run(config: GenerationConfig) -> None:
    """Continue prompts, hold a conversation, serve over HTTP or export, as the flags say."""
    from paddle_impl.evaluation.files import check_place
    from paddle_impl.generate import check_end_tokens
    from paddle_impl.text import writing
    from paddle_impl.text.classifier import TextClassifier, is_classifier
    from paddle_impl.text.generator import TextGenerator

    model, prompts, decoding = config.model, config.prompts, config.decoding
    output_file = config.output.output_file
    if output_file != "-":
        check_place(output_file, "--output_file")
    named = model.model_name_or_path, config.adapter.alone
    if config.mode.classify or config.mode.serve and is_classifier(*named):
        classify(config, TextClassifier.load(
            named[0], model.vocab_file, model.merge_file, adapter=named[1]))
        return
    asked = prompts.records or prompts.instructions
    streams = asked is None and writing.streams(prompts, output_file, decoding)
    generator = TextGenerator.load(
        model.model_name_or_path, model.vocab_file, model.merge_file, adapter=config.adapter.alone,
        decoder=config.engine.decoder, rows=1 if streams else config.engine.batch_size)
    generator.check_family(model.model_type)
    check_end_tokens(decoding.eos_token_id or (), generator.vocab_size)
    if config.mode.export is not None:
        from paddle_impl.export import export_model

        export_model(generator.model, generator.tokenizer, Path(config.mode.export))
        print(f"wrote {config.mode.export}; scripts/run_exported.py writes text with it")
    elif config.mode.serve:
        serve(config, generator)
    elif config.mode.interactive:
        from paddle_impl.text.conversation import Conversation

        Conversation(generator, decoding, config.runtime.seed, language=prompts.language,
                     chat=prompts.chat).run()
    elif prompts.records is not None:
        from paddle_impl.evaluation.continuing import continue_contexts

        continue_contexts(generator, prompts.records, output_file, decoding, config.runtime.seed,
                          PROG)
    elif prompts.instructions is not None:
        from paddle_impl.finetuning.responses import answer_file

        answer_file(generator, prompts.instructions, config.parts.split, output_file, decoding,
                    config.runtime.seed)
    else:
        writing.write(generator, prompts, output_file, decoding, config.runtime.seed, PROG)


def classify(config: GenerationConfig, classifier) -> None:
    """Tell the labels of prompts, or answer requests for those of texts."""
    from paddle_impl import serving
    from paddle_impl.text.classifier import write_labels

    if not config.mode.serve:
        write_labels(classifier, config.prompts, config.output.output_file,
                     config.engine.batch_size, PROG)
        return
    for name in (*config.given(), *(f"adapter {name}=DIR" for name in config.adapter.named)):
        if name.split()[0] in _OF_TEXTS or "=" in name:
            raise ValueError(f"--{name} means nothing with --serve of a classifier")
    base, adapter = config.model.model_name_or_path, config.adapter.alone
    serving.serve_classifier(classifier, serving.ServingOptions(
        **vars(config.serving), model_name_or_path=base or adapter, adapter=adapter,
        rows=config.engine.batch_size))


def serve(config: GenerationConfig, generator) -> None:
    """Serve the model, and each adapter that has a name merged into the weights of another copy."""
    from paddle_impl import serving
    from paddle_impl.text.generator import TextGenerator
    from paddle_impl.text.opening import base_and_adapter

    model, adapters, decoding = config.model, config.adapter, config.decoding
    base, adapter = base_and_adapter(model.model_name_or_path, adapters.alone)
    options = serving.ServingOptions(
        **vars(config.serving), model_name_or_path=str(base), adapter=adapter and str(adapter),
        rows=config.engine.batch_size, decoder=config.engine.decoder,
        eos_token_ids=tuple(decoding.eos_token_id or ()), language=config.prompts.language,
        fim_mode=config.prompts.fim_mode,
    )
    others = []
    for name, place in adapters.named.items():
        own = TextGenerator.load(str(base), model.vocab_file, model.merge_file, adapter=place)
        others.append((own.model, own.tokenizer,
                       replace(options, served_model_name=name, adapter=place)))
    serving.serve(generator.model, generator.tokenizer, options, *others)


if __name__ == "__main__":
    main()
