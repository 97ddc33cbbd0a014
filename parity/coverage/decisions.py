"""What holds each room of the product: a rung, a unit test that is a proof, or why it is no number.

A decision is for a folder or a file. That of a file counts before that of its folder. A room whose
decision is "a rung" may have functions that no rung runs, such as those that refuse a user's
mistake: `python -m parity reach` names them.
"""

from typing import NamedTuple

RUNG = "a rung"
UNIT_TEST = "a unit test that is a proof"
NO_NUMBER = "not a number"


class Decision(NamedTuple):
    """told: the path of the unit test, or why there is no number."""

    kind: str
    told: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.told}" if self.told else self.kind


_rung = Decision(RUNG)


def _test(path: str) -> Decision:
    return Decision(UNIT_TEST, f"tests/{path}")


def _no_number(why: str) -> Decision:
    return Decision(NO_NUMBER, why)


_FLAGS = _no_number("flags and their help; the values that reach a computation are the rungs'")
_COMMAND = _no_number("a command: reads flags and calls rooms that are listed here")

DECISIONS = {
    "data_tools": _COMMAND,
    "data_tools/cleaning": _no_number("keeps or drops documents by rules, each with its own test"),
    "data_tools/classification": _test("data_tools/classification/test_making.py"),
    "data_tools/classification/options.py": _FLAGS,
    "data_tools/classification/reading.py": _no_number("reads texts and labels"),
    "data_tools/completion": _test("data_tools/completion/test_making.py"),
    "data_tools/completion/languages.py": _no_number("names of files"),
    "data_tools/completion/options.py": _FLAGS,
    "data_tools/create_pretraining_data.py": _rung,
    "data_tools/e2e": _test("data_tools/e2e/test_making.py"),
    "data_tools/e2e/options.py": _FLAGS,
    "data_tools/e2e/records.py": _rung,
    "data_tools/endpoint.py": _no_number("texts to a server and back"),
    "data_tools/files.py": _no_number("whole files or none; checksums of hashlib"),
    "data_tools/fim.py": _rung,
    "data_tools/fim_prompt.py": _rung,
    "data_tools/flag_values.py": _FLAGS,
    "data_tools/formats": _test("data_tools/test_convert_megatron.py"),
    "data_tools/formats/hugging_face.py": _test("data_tools/test_convert_hf.py"),
    "data_tools/index_helper": _rung,
    "data_tools/instructions": _test("data_tools/instructions/test_prompts.py"),
    "data_tools/instructions/answers.py": _rung,
    "data_tools/instructions/encoding.py": _rung,
    "data_tools/instructions/examples.py": _rung,
    "data_tools/instructions/pairs.py": _test("paddle_impl/finetuning/test_pairs.py"),
    "data_tools/instructions/rows.py": _rung,
    "data_tools/instructions/templates.py": _rung,
    "data_tools/instructions/reading.py": _no_number("reads files; refuses damaged ones"),
    "data_tools/json_fields.py": _no_number("refuses damaged files"),
    "data_tools/index_helper/reference.py": _test("data_tools/index_helper/test_index_helper.py"),
    "data_tools/inspecting/chunks.py": _test("data_tools/test_inspect.py"),
    "data_tools/inspecting/options.py": _FLAGS,
    "data_tools/inspecting/training_data.py": _test("data_tools/inspecting/test_training_data.py"),
    "data_tools/inspecting": _no_number("shows files that other rooms read"),
    "data_tools/line_journal.py": _no_number("lines of a file, each whole or not there"),
    "data_tools/merge.py": _test("data_tools/test_merge.py"),
    "data_tools/options.py": _FLAGS,
    "data_tools/packing.py": _rung,
    "data_tools/preparing": _rung,
    "data_tools/preparing/flags.py": _FLAGS,
    "data_tools/preparing/options.py": _FLAGS,
    "data_tools/preparing/partial_run.py": _no_number("files of an unfinished run"),
    "data_tools/preparing/report.py": _no_number("messages"),
    "data_tools/reading": _rung,
    "data_tools/reading/compressed.py": _no_number("bytes of gzip and zstandard, with checksums"),
    "data_tools/reading/dataset_folder.py": _no_number("finds files"),
    "data_tools/reading/default_corpus.py": _no_number("finds files"),
    "data_tools/reading/globs.py": _no_number("names of files"),
    "data_tools/reading/languages.py": _no_number("names of files"),
    "data_tools/reading/archives.py": _test("data_tools/reading/test_archives.py"),
    "data_tools/reading/arrow_records.py": _test("data_tools/reading/test_arrow_records.py"),
    "data_tools/reading/json_records.py": _test("data_tools/reading/test_json_records.py"),
    "data_tools/splits.py": _rung,
    "data_tools/synthesis": _no_number("texts that a server writes, kept or dropped by rules"),
    "data_tools/synthesis/options.py": _FLAGS,
    "data_tools/token_files": _rung,
    "data_tools/token_files/check.py": _no_number("refuses damaged files"),
    "data_tools/token_files/writer.py": _test("data_tools/token_files/test_token_file.py"),
    "data_tools/tokenizing": _rung,
    "data_tools/tokenizing/added_tokens.py": _test("data_tools/tokenizing/test_added_tokens.py"),
    "data_tools/tokenizing/any_tokenizer.py": _no_number("an interface"),
    "data_tools/tokenizing/bpe_training.py": _no_number(
        "the merges that the library tokenizers learns"),
    "data_tools/tokenizing/chat_template.py": _test("data_tools/tokenizing/test_chat_template.py"),
    "data_tools/tokenizing/chinese_tokenizer.py": _test(
        "data_tools/tokenizing/test_chinese_tokenizer.py"),
    "data_tools/tokenizing/chinese_words.py": _test(
        "data_tools/tokenizing/test_chinese_tokenizer.py"),
    "data_tools/tokenizing/fast_encoder.py": _test("data_tools/tokenizing/test_tokenizer_flat.py"),
    "data_tools/tokenizing/preload.py": _no_number("begins work earlier"),
    "paddle_impl/__init__.py": _no_number("names that are imported later"),
    "paddle_impl/checkpoint": _rung,
    "paddle_impl/checkpoint/body.py": _test("e2e/test_classify.py"),
    "paddle_impl/checkpoint/plain.py": _test("paddle_impl/test_merge_adapter.py"),
    "paddle_impl/config": _FLAGS,
    "paddle_impl/config/decoding.py": _rung,
    "paddle_impl/config/model.py": _rung,
    "paddle_impl/convert": _rung,
    "paddle_impl/data": _rung,
    "paddle_impl/data/batch.py": _no_number("names of types"),
    "paddle_impl/data/origin.py": _no_number("messages"),
    "paddle_impl/decoding": _rung,
    "paddle_impl/decoding/prompt.py": _no_number("a text's ids, by the tokenizer"),
    "paddle_impl/decoding/prompt_state.py": _no_number("an interface"),
    "paddle_impl/evaluation": _rung,
    "paddle_impl/evaluation/classifying.py": _test("e2e/test_classify_use.py"),
    "paddle_impl/evaluation/comparison.py": _no_number("shows answers side by side"),
    "paddle_impl/evaluation/continuing.py": _no_number("files in, files out"),
    "paddle_impl/evaluation/e2e/java.py": _test("paddle_impl/evaluation/e2e/test_scores.py"),
    "paddle_impl/evaluation/e2e/measuring.py": _COMMAND,
    "paddle_impl/evaluation/e2e/references.py": _no_number("reads references and outputs"),
    "paddle_impl/evaluation/e2e/rows.py": _no_number("texts to compare with"),
    "paddle_impl/evaluation/files.py": _no_number("reads texts, writes tables"),
    "paddle_impl/evaluation/humaneval": _no_number(
        "runs programs in a sandbox: a verdict for each task"),
    "paddle_impl/evaluation/humaneval/pass_at_k.py": _test(
        "paddle_impl/evaluation/humaneval/test_pass_at_k.py"),
    "paddle_impl/evaluation/infilling": _test(
        "paddle_impl/evaluation/infilling/test_scores.py"),
    "paddle_impl/evaluation/judge": _no_number("questions to a server, and its replies"),
    "paddle_impl/evaluation/judge/measuring.py": _COMMAND,
    "paddle_impl/evaluation/judge/scores.py": _test(
        "paddle_impl/evaluation/judge/test_scores.py"),
    "paddle_impl/evaluation/minitest.py": _no_number("texts to read"),
    "paddle_impl/evaluation/page.py": _no_number("shows answers side by side"),
    "paddle_impl/evaluation/progress.py": _no_number("a progress bar"),
    "paddle_impl/evaluation/running.py": _COMMAND,
    "paddle_impl/export": _rung,
    "paddle_impl/finetuning": _test("e2e/test_finetuning.py"),
    "paddle_impl/finetuning/batches.py": _rung,
    "paddle_impl/finetuning/dpo.py": _test("e2e/dpo/test_dpo.py"),
    "paddle_impl/finetuning/class_loss.py": _rung,
    "paddle_impl/finetuning/classes.py": _rung,
    "paddle_impl/finetuning/classify.py": _test("e2e/test_classify.py"),
    "paddle_impl/finetuning/e2e.py": _test("e2e/test_finetuning_e2e.py"),
    "paddle_impl/finetuning/freezing.py": _rung,
    "paddle_impl/finetuning/label_smoothing.py": _rung,
    "paddle_impl/finetuning/pairs.py": _rung,
    "paddle_impl/finetuning/preference_loss.py": _rung,
    "paddle_impl/finetuning/reference.py": _rung,
    "paddle_impl/finetuning/response_loss.py": _rung,
    "paddle_impl/finetuning/responses.py": _test("e2e/test_finetuning_sft.py"),
    "paddle_impl/finetuning/sft.py": _test("e2e/test_finetuning_sft.py"),
    "paddle_impl/generate.py": _rung,
    "paddle_impl/heads.py": _rung,
    "paddle_impl/kernels": _rung,
    "paddle_impl/key_tokens.py": _rung,
    "paddle_impl/layers": _rung,
    "paddle_impl/lora": _rung,
    "paddle_impl/merge_adapter.py": _COMMAND,
    "paddle_impl/model.py": _rung,
    "paddle_impl/notebook.py": _COMMAND,
    "paddle_impl/objectives.py": _rung,
    "paddle_impl/optim": _rung,
    "paddle_impl/parallel": _rung,
    "paddle_impl/pretraining.py": _rung,
    "paddle_impl/process": _no_number("threads, processes and signals, before Paddle is imported"),
    "paddle_impl/serving": _rung,
    "paddle_impl/serving/__init__.py": _COMMAND,
    "paddle_impl/serving/app.py": _no_number("routes, keys and names of hosts"),
    "paddle_impl/serving/classifying.py": _test("paddle_impl/serving/test_classifying.py"),
    "paddle_impl/serving/connections.py": _no_number("connections that stay open or not"),
    "paddle_impl/serving/endpoints.py": _no_number("bytes of requests and responses over HTTP"),
    "paddle_impl/serving/errors.py": _no_number("messages"),
    "paddle_impl/serving/models.py": _no_number("which model answers a request"),
    "paddle_impl/serving/server.py": _no_number("a socket, signals, and the engine's life"),
    "paddle_impl/text/classifier.py": _test("paddle_impl/text/test_classifier.py"),
    "paddle_impl/text": _no_number("texts to prompts, continuations to texts"),
    "paddle_impl/training/output_lock.py": _no_number("a lock"),
    "paddle_impl/tracking": _no_number("writes the numbers of a run where they are read"),
    "paddle_impl/training": _rung,
    "paddle_impl/training/adapting.py": _test("e2e/test_lora.py"),
    "paddle_impl/training/completions.py": _no_number("texts to read"),
    "paddle_impl/training/ending.py": _no_number("what a run that was killed at its end lacks"),
    "paddle_impl/training/early_stop.py": _test("paddle_impl/training/test_early_stop.py"),
    "paddle_impl/training/flops.py": _test("paddle_impl/training/test_flops.py"),
    "paddle_impl/training/hyperparams.py": _no_number("a file of flags"),
    "paddle_impl/training/model_class.py": _test("paddle_impl/training/test_model_class.py"),
    "paddle_impl/training/nonfinite.py": _no_number("names the first tensor that is not finite"),
    "paddle_impl/training/profiling.py": _no_number("times"),
    "paddle_impl/training/shapes.py": _test("paddle_impl/training/test_shapes.py"),
}
# What no machine that has run the suite could compute.
NEEDS_A_GPU = "half precision kernels, which need a GPU"
