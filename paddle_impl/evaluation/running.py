"""A run of run_evaluation.py: one measure, shown as a table and written as one JSON object."""

from dataclasses import replace
from pathlib import Path

from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.options import require
from paddle_impl.evaluation import (
    classifying,
    code_length,
    comparison,
    files,
    lambada,
    minitest,
    wikitext,
)
from paddle_impl.evaluation.humaneval import measuring as humaneval
from paddle_impl.evaluation.infilling import measuring as infilling
from paddle_impl.text.classifier import TextClassifier
from paddle_impl.text.generator import TextGenerator

# Mode of the configuration -> a module with measure(config, model, tokenizer) -> (table, numbers).
MEASURES = {"input_dir": code_length, "wikitext": wikitext, "lambada": lambada,
            "minitest": minitest, "humaneval": humaneval, "infill": infilling,
            "classify": classifying}


def run(config: EvaluationConfig) -> None:
    """Measure, print the table and write --output_file.

    ValueError, before anything is measured, for files that cannot be read or written, and at the
    end where programs could not be judged, so that the numbers are no measurement.
    """
    if config.mode == "compare":
        _compare(config)
        return
    output, samples = config.output.output_file, config.humaneval.samples_file
    texts, trained = config.classifying.classify, config.texts.train_texts
    files.check_place(output, "--output_file")
    files.check_distinct({
        "--output_file": output, "--samples_file": samples,
        "the results of --samples_file": samples and f"{samples}_results.jsonl",
        "--input_dir": config.data.input_dir, "--wikitext": config.measure.wikitext,
        "--lambada": config.measure.lambada, "--humaneval": config.humaneval.humaneval,
        "--infill": config.infilling.infill, "--classify": texts,
        "--train_texts": None if trained == texts else trained,
        "--confusion_file": config.classifying.confusion_file,
    })
    model, tokenizer, about = _load(config.model, config.adapter.alone,
                                    TextClassifier if config.mode == "classify" else TextGenerator)
    shown, numbers = MEASURES[config.mode].measure(config, model, tokenizer)
    # Before printing, which fails if the reader of standard output has ended.
    if output:
        files.write_json(output, {"mode": config.mode, **about, **numbers})
    print(shown, flush=True)
    if numbers.get("not_judged"):
        raise ValueError(f"--{config.mode} {numbers['file']} measures nothing: "
                         f"{len(numbers['not_judged'])} of its tasks judge no program, see above")


def _compare(config: EvaluationConfig) -> None:
    """Measure several checkpoints by the ten prompts, and show and write their answers."""
    paths, page = config.measure.compare, config.output.output_file
    files.check_place(page, "--output_file")
    for path in paths:
        require(Path(path).is_dir(), f"--minitest --compare {path}: expected a checkpoint "
                "directory; leave --minitest out to compare files")
    measured = []
    for path in paths:
        model, tokenizer, about = _load(replace(config.model, model_name_or_path=path))
        _, numbers = minitest.measure(config, model, tokenizer)
        measured.append({"mode": "minitest", **about, **numbers})
    for number, told in enumerate(measured if page else (), start=1):
        files.write_json(f"{page.removesuffix('.html')}_{number}.json", told)
    comparison.show(paths, measured, page)


def _load(options: ModelOptions, adapter: str | None = None, kind=TextGenerator):
    """(model, tokenizer, their entries of the JSON object); None for both without a checkpoint."""
    if options.model_name_or_path is None and adapter is None:
        return None, None, {"checkpoint": None}
    loaded = kind.load(
        options.model_name_or_path, options.vocab_file, options.merge_file, adapter=adapter)
    model, tokenizer = loaded.model, loaded.tokenizer
    about = {
        "checkpoint": options.model_name_or_path or adapter,
        **({} if adapter is None else {"adapter": adapter}),
        "parameters": sum(parameter.size for parameter in model.parameters()),
        "n_layer": model.config.n_layer, "n_embd": model.config.n_embd,
        "n_positions": model.config.n_positions, "vocab_size": model.config.vocab_size,
        "tokenizer_fingerprint": tokenizer.fingerprint(),
    }
    return model, tokenizer, about
