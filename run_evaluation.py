"""Measure a trained GPT, one way at a call. See --help for the flags."""

import shlex
import shutil
from functools import partial

import args


def main(argv: list[str] | None = None) -> None:
    config = args.parse_evaluation(argv)
    args.plain_warnings()
    try:
        if config.compare:
            compare(config)
            return
        from paddle_impl.process import runtime

        runtime.import_paddle(config.device)
        run(config)
    except (ValueError, OSError) as error:
        args.fail("run_evaluation.py", error)


def run(config) -> None:
    """What the mode measures is printed as a table, and written as one JSON object if asked.

    Each mode returns the table and the numbers.
    """
    from paddle_impl.evaluation import files

    files.check_place(config.output_file, "--output_file")
    samples = config.samples_file
    files.check_apart({
        "--output_file": config.output_file, "--samples_file": samples,
        "the results of --samples_file": samples and f"{samples}_results.jsonl",
        **{f"--{name}": getattr(config, name)
           for name in ("input_dir", "wikitext", "lambada", "humaneval")},
    })
    measure = {"input_dir": dataset, "wikitext": wikitext, "lambada": lambada,
               "minitest": minitest, "humaneval": humaneval}[config.mode]
    model, tokenizer, about = _load(config)
    shown, numbers = measure(config, model, tokenizer)
    # Before the console: what reads it may have gone away, as head does.
    if config.output_file:
        files.write_json(config.output_file, {"mode": config.mode, **about, **numbers})
    print(shown)


def dataset(config, model, tokenizer) -> tuple[str, dict]:
    """Loss, accuracy and bits per byte of one split's documents, beside gzip's."""
    from data_tools.splits import SPLITS, split_bounds
    from paddle_impl.config.options import require, split_shares
    from paddle_impl.data.sources import check_tokenizer, open_dataset
    from paddle_impl.evaluation import files
    from paddle_impl.evaluation.code_length import code_length

    tokens = open_dataset(config.input_dir)
    check_tokenizer(tokens, tokenizer)
    bounds = split_bounds(split_shares(config.split), len(tokens))
    which = SPLITS.index(config.split_name)
    documents = [tokens.document(i) for i in range(bounds[which], bounds[which + 1])]
    require(len(documents) > 0, f"the {config.split_name} split of {tokens.prefix} is empty")
    window = _window(config, model)
    stride = config.stride or max(1, window // 2)
    require(stride <= window, f"--stride {stride} is beyond the window of {window} tokens")
    result = code_length(
        model, documents, tokenizer.decode_bytes, eos_token_id=tokenizer.eos_token_id,
        window=window, stride=stride, vocab_size=tokenizer.vocab_size, progress=_progress(),
    )
    title = (f"{config.split_name} split: {len(documents)} files, {result.bytes:,} bytes, "
             f"{result.tokens:,} tokens, windows of {window} moved by {stride}")
    return files.table(title, [
        ("loss", result.loss, "nats a token"),
        ("perplexity", result.perplexity, "a token"),
        ("token accuracy", result.accuracy, "of the tokens were the likeliest"),
        ("bits per byte", result.bits_per_byte, ""),
        ("gzip -9", result.gzip_bits_per_byte, "bits per byte on the same files"),
    ]), {
        "input_dir": config.input_dir, "shares": config.split, "split": config.split_name,
        "files": len(documents), "bytes": result.bytes,
        "tokens": result.tokens, "loss": result.loss, "perplexity": result.perplexity,
        "accuracy": result.accuracy, "bits_per_byte": result.bits_per_byte,
        "gzip_bits_per_byte": result.gzip_bits_per_byte, "window": window, "stride": stride,
    }


def wikitext(config, model, tokenizer) -> tuple[str, dict]:
    """Perplexity of one long text, a token of the model and a word of the text."""
    from paddle_impl.config.options import require
    from paddle_impl.evaluation import files
    from paddle_impl.evaluation.wikitext import measure

    text = files.read_text(config.wikitext, "--wikitext")
    window, moved = _window(config, model), config.overlapping_eval
    require(moved <= window,
            f"--overlapping_eval {moved} is beyond the window of {window} tokens")
    result = measure(model, text, tokenizer.encode, window=window, overlapping_eval=moved,
                     vocab_size=tokenizer.vocab_size, progress=_progress())
    return files.table(f"{config.wikitext}: windows of {window} moved by {moved}", [
        ("original tokens", result.original_tokens, "words and line ends of the file"),
        ("tokenized tokens", result.tokenized_tokens, "of this tokenizer"),
        ("loss", result.loss, "nats a token"),
        ("perplexity", result.perplexity, "a token"),
        ("adjusted perplexity", result.adjusted_perplexity, "an original token"),
        ("token accuracy", result.accuracy, "of the tokens were the likeliest"),
    ]), {
        "file": config.wikitext, "num_original_tokens": result.original_tokens,
        "num_tokenized_tokens": result.tokenized_tokens, "loss": result.loss,
        "perplexity": result.perplexity, "adjusted_perplexity": result.adjusted_perplexity,
        "accuracy": result.accuracy, "window": window, "overlapping_eval": moved,
    }


def lambada(config, model, tokenizer) -> tuple[str, dict]:
    """How often the last word of a passage is the greedy choice."""
    from paddle_impl.evaluation import files
    from paddle_impl.evaluation.lambada import last_words, passage

    passages = []
    for line, text in files.read_passages(config.lambada, "--lambada"):
        try:
            passages.append(passage(text, tokenizer.encode, strict=config.strict_lambada))
        except ValueError as error:
            raise ValueError(f"--lambada {config.lambada}: line {line}: {error}") from None
    window = _window(config, model)
    result = last_words(model, passages, window=window, vocab_size=tokenizer.vocab_size,
                        progress=_progress())
    what = "word" if config.strict_lambada else "token"
    title = (f"{config.lambada}: {result.passages:,} passages, {result.cut:,} of them longer than "
             f"the window of {window}")
    return files.table(title, [
        ("accuracy", result.accuracy, f"{result.right:,} of {result.passages:,} last {what}s"),
        ("perplexity", result.perplexity, f"a last {what}"),
    ]), {
        "file": config.lambada, "strict": config.strict_lambada, "passages": result.passages,
        "right": result.right, "cut": result.cut, "accuracy": result.accuracy,
        "perplexity": result.perplexity, "window": window,
    }


def minitest(config, model, tokenizer) -> tuple[str, dict]:
    """Ten prompts continued; --compare shows several such files side by side."""
    from paddle_impl.evaluation import minitest

    records = minitest.answers(model, tokenizer, config.seed, _progress(len(minitest.PROMPTS)))
    return minitest.transcript(records), {
        "seed": config.seed, "settings": minitest.SETTINGS, "answers": records,
    }


def humaneval(config, model, tokenizer) -> tuple[str, dict]:
    """pass@k of functions drawn from docstrings; without leave to run them, only the samples."""
    from paddle_impl.evaluation import files, humaneval

    files.check_place(config.samples_file, "--samples_file")
    settings = {"num_samples": config.num_samples, "max_new_tokens": config.max_dec_len,
                "temperature": config.temperature, "top_p": config.top_p, "seed": config.seed}
    complete = None
    if model is not None:
        from paddle_impl.evaluation.humaneval.completing import completer

        complete = completer(model, tokenizer, **settings)
    report = humaneval.run(
        config.humaneval, complete=complete, samples_file=config.samples_file,
        allow_code_execution=config.allow_code_execution,
        execution_timeout=config.execution_timeout,
        execution_memory_mib=config.execution_memory_mib, progress=_progress(),
    )
    shown = report.text()
    if not config.allow_code_execution:
        shown = (f"HumanEval: {report.samples:,} samples of {report.tasks:,} tasks are in "
                 f"{config.samples_file}, {report.empty:,} of them empty; nothing was run. "
                 "To judge them:\n  "
                 + shlex.join(["python", "run_evaluation.py", "--humaneval", config.humaneval,
                               "--samples_file", config.samples_file, "--allow_code_execution"]))
    judged = {"execution_timeout": config.execution_timeout,
              "execution_memory_mib": config.execution_memory_mib}
    return shown, {
        "file": config.humaneval, "samples_file": config.samples_file,
        **(settings if complete else {}), **(judged if config.allow_code_execution else {}),
        **report.numbers(),
    }


def compare(config) -> None:
    """Answers of several checkpoints to --minitest, a column each."""
    from paddle_impl.evaluation.comparison import side_by_side

    print(side_by_side(config.compare, shutil.get_terminal_size((120, 24)).columns))


def _load(config):
    """The model, its tokenizer, and what a JSON object says of them; nothing without a checkpoint.
    """
    from paddle_impl.text.generator import TextGenerator

    if config.model_name_or_path is None:
        return None, None, {"checkpoint": None}
    loaded = TextGenerator.load(config.model_name_or_path, config.vocab_file, config.merge_file)
    model, tokenizer = loaded.model, loaded.tokenizer
    about = {
        "checkpoint": config.model_name_or_path,
        "parameters": sum(parameter.size for parameter in model.parameters()),
        "n_layer": model.config.n_layer, "n_embd": model.config.n_embd,
        "n_positions": model.config.n_positions, "vocab_size": model.config.vocab_size,
        "tokenizer_fingerprint": tokenizer.fingerprint(),
    }
    return model, tokenizer, about


def _window(config, model) -> int:
    from paddle_impl.config.options import require

    positions = model.config.n_positions
    window = config.max_seq_len or positions
    require(window <= positions,
            f"--max_seq_len {window} is beyond the model's {positions} positions")
    return window


def _progress(total: int | None = None):
    from tqdm import tqdm

    return partial(tqdm, desc="evaluating", leave=False, disable=None, total=total)


if __name__ == "__main__":
    main()
