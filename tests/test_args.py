"""The command line: every flag of the source document exists, has its meaning, and is used."""

import ast
from collections import Counter
from pathlib import Path

import pytest

import run_pretrain
from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.config.finetune_classify import ClassifyConfig
from paddle_impl.config.finetune_sft import SFTConfig
from paddle_impl.config.generation import GenerationConfig
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.config.schedule import ALIASES, SCHEDULERS

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "paddle_impl" / "config"
REQUIRED = ["--model_type", "gpt", "--model_name_or_path", "gpt2-en", "--input_dir", "d",
            "--output_dir", "o"]
SOURCE_FLAGS = """model_type model_name_or_path input_dir output_dir split max_seq_len
    micro_batch_size global_batch_size weight_decay grad_clip max_lr min_lr warmup_rate adam_beta1
    adam_beta2 adam_epsilon max_steps save_steps decay_steps logging_freq eval_freq eval_iters
    use_sharding sharding_degree dp_degree mp_degree pp_degree use_recompute use_amp amp_level
    enable_addto scale_loss hidden_dropout_prob attention_probs_dropout_prob seed check_accuracy
    device lr_decay_style profiler_options vocab_file merge_file test_file""".split()
NOT_BUILT = [
    ["--enable_addto"], ["--pp_degree", "2"],
]
BAD = {
    ("--min_lr", "1", "--max_lr", "0.1"): "--min_lr 1.0 is above --max_lr 0.1",
    ("--split", "a,b"): "--split",
    ("--split", "0,0,0"): "--split",
    ("--split", "-1,2,3"): "--split",
    ("--max_steps", "0"): "--max_steps must be at least 1",
    ("--hidden_dropout_prob", "1"): "--hidden_dropout_prob",
    ("--warmup_rate", "2"): "--warmup_rate",
    ("--vocab_file", "v"): "--merge_file",
    ("--seed", "-1"): "--seed",
    ("--use_amp", "maybe"): "neither true nor false",
    ("--device", "tpu"): "invalid choice",
    ("--data_order", "nemo"): "invalid choice",
    ("--packing", "concat"): "invalid choice",
    ("--packing", "keep", "--data_order", "megatron"): "with --packing keep blocks are shuffled",
    ("--packing", "drop", "--max_seq_len", "1"): "--max_seq_len must be at least 2",
    ("--no_such_flag",): "unrecognized",
    ("--use_amp", "--device", "cpu"): "no half precision kernels for a CPU",
    ("--amp_level", "O2"): "--amp_level O2 means nothing without --use_amp",
    ("--dtype", "bfloat16"): "--dtype bfloat16 means nothing without --use_amp",
    ("--scale_loss", "128"): "--scale_loss 128.0 means nothing without --use_amp",
    ("--use_amp", "--dtype", "bfloat16", "--scale_loss", "128"): "bfloat16 has float32's range",
    ("--sharding_stage", "2"): "means nothing without --sharding_degree",
    ("--sharding_stage", "4"): "invalid choice",
    ("--mp_degree", "0"): "--mp_degree must be at least 1",
    ("--top_k", "3"): "--top_k 3 means nothing without --test_file",
    ("--test_file", "f", "--temperature", "0"): "--temperature must be above 0",
    ("--early_stop", "3", "--eval_iters", "0"): "--early_stop needs evaluations",
    ("--keep_checkpoints", "-1"): "--keep_checkpoints must not be negative",
    ("--skip_nonfinite", "-1"): "--skip_nonfinite must not be negative",
    ("--peak_tflops", "0"): "--peak_tflops must be positive",
    ("--peak_tflops", "inf"): "--peak_tflops must be positive",
    ("--scheduler", "linear", "--decay_steps", "9"):
        "--decay_steps 9 means nothing with --scheduler linear, which takes --max_lr, "
        "--warmup_steps, --warmup_ratio",
    ("--scheduler", "constantlr", "--warmup_steps", "9"): "which takes --max_lr",
    ("--scheduler", "warmuplinear", "--num_cycles", "2"): "--num_cycles 2.0 means nothing",
    ("--scheduler", "cosine", "--min_lr", "0"): "--min_lr 0.0 means nothing",
    ("--warmup_ratio", "0.1"): "--warmup_ratio 0.1 means nothing with --scheduler paddlenlp, which "
                               "takes --max_lr, --min_lr, --warmup_rate",
    ("--scheduler", "linear", "--warmup_steps", "9", "--warmup_ratio", "0.5"): "two warm-ups",
    ("--scheduler", "linear", "--warmup_ratio", "1.5"): "--warmup_ratio must lie in [0, 1]",
    ("--scheduler", "linear", "--warmup_steps", "-1"): "--warmup_steps must not be negative",
    ("--scheduler", "cosine", "--num_cycles", "0"): "--num_cycles must be positive",
    ("--scheduler", "llms_from_scratch", "--initial_lr", "1"): "--initial_lr 1.0 is above --max_lr",
    ("--scheduler", "llms_from_scratch", "--min_lr", "1"): "--min_lr 1.0 is above --max_lr",
    ("--first_step", "2"): "invalid choice",
    ("--max_lr", "inf"): "--max_lr must not be negative or infinite",
    ("--use_amp", "--scale_loss", "0"): "--scale_loss must be positive and fit float32",
    ("--early_stop", "3", "--max_steps", "6"): "--eval_freq 500 is above --max_steps 6",
}


def one_line_error(capsys, *argv, parse=run_pretrain.parse, required=REQUIRED) -> str:
    with pytest.raises(SystemExit) as exit_:
        parse([*required, *argv])
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "error:" in err
    return err


def test_every_source_flag_is_known():
    assert set(SOURCE_FLAGS) <= {flag.name for flag in PretrainConfig.flags()}


@pytest.mark.parametrize("argv", NOT_BUILT, ids=" ".join)
def test_what_is_not_built_is_refused_by_name(argv, capsys):
    err = one_line_error(capsys, *argv)
    assert "not built yet" in err
    assert argv[0] in err or argv[0] == "-p"


@pytest.mark.parametrize(("argv", "message"), BAD.items(), ids=lambda v: str(v)[:40])
def test_bad_values_are_named(argv, message, capsys):
    assert message in one_line_error(capsys, *argv)


def test_a_bare_boolean_switches_on():
    for more, expected in ((), True), (("false",), False), (("--no-check_accuracy",), False):
        config = run_pretrain.parse([*REQUIRED, "--check_accuracy", *more])
        assert config.training.check_accuracy is expected


def test_a_rate_below_the_default_min_lr_goes_with_schedules_that_end_at_0(capsys):
    assert "--min_lr 1e-05 is above --max_lr 5e-06" in one_line_error(capsys, "--max_lr", "5e-6")
    config = run_pretrain.parse([*REQUIRED, "--max_lr", "5e-6", "--scheduler", "linear"])
    assert config.schedule.max_lr == 5e-6


def test_an_unknown_schedule_is_told_the_known_ones(capsys):
    told = one_line_error(capsys, "--scheduler", "lineal")
    for name in (*SCHEDULERS, *ALIASES):
        assert name in told


def test_short_form_reaches_the_same_flag():
    assert run_pretrain.parse([*REQUIRED, "-p", "x"]).tracking.profiler_options == "x"


@pytest.mark.parametrize(("config", "files"), [
    (PretrainConfig, [f"paddle_impl/{name}.py" for name in (
        "pretraining", "data/pretraining_data", "training/reports", "training/completions",
        "training/resume", "training/run", "training/model_class", "parallel/ranks",
        "optim/schedule", "optim/choice", "optim/legacy_schedules")]
        + ["run_pretrain.py"]),
    (SFTConfig, [f"paddle_impl/{name}.py" for name in (
        "finetuning/sft", "finetuning/examples", "finetuning/choice", "training/reports",
        "training/resume", "training/run", "training/model_class", "training/adapting",
        "parallel/ranks", "optim/schedule", "optim/choice", "optim/legacy_schedules",
        "lora/applying")]
        + ["run_finetune.py"]),
    (GenerationConfig, [f"paddle_impl/{name}.py" for name in (
        "text/writing", "text/prompts", "serving/server", "serving/engine", "serving/app",
        "serving/endpoints", "serving/request")] + ["run_generation.py"]),
    (ClassifyConfig, [f"paddle_impl/{name}.py" for name in (
        "finetuning/choice", "finetuning/classify", "finetuning/examples", "training/reports",
        "training/resume", "training/run",
        "training/model_class", "training/adapting", "lora/applying", "parallel/ranks",
        "optim/schedule", "optim/choice", "optim/legacy_schedules")] + ["run_finetune.py"]),
    (EvaluationConfig, [f"paddle_impl/evaluation/{name}.py" for name in (
        "running", "code_length", "wikitext", "lambada", "minitest", "humaneval/measuring",
        "infilling/measuring", "e2e/measuring", "judge/measuring", "classifying")]
        + ["run_evaluation.py"]),
])
def test_no_flag_is_ignored(config, files):
    """Each flag's value is read by what a command runs, not only by the checks of its group."""
    read = {pair for file in files for pair in attributes(ROOT / file)}
    own = {pair for file in CONFIG.glob("*.py") for pair in attributes(file, beyond_checks=True)}
    for flag in config.flags():
        owners = (("config", *flag.path)[-2], "options", "_options", "config")
        anywhere = {(owner, flag.name) for owner in owners} & (read | own)
        refused = flag.name in ("pp_degree", "enable_addto", "disable_causal_mask")  # see NOT_BUILT
        assert anywhere or ("self", flag.name) in own or refused, \
            f"--{flag.name} is accepted and ignored"


def attributes(file: Path, beyond_checks: bool = False) -> set[tuple[str, str]]:
    """(owner, name) of every owner.name that is read; beyond_checks: outside of functions that
    check values.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    checks = [node for node in ast.walk(tree) if beyond_checks
              and isinstance(node, ast.FunctionDef)
              and node.name.startswith(("__post_init__", "_check"))]
    left_out = {id(inner) for node in checks for inner in ast.walk(node)}
    return {(getattr(node.value, "attr", getattr(node.value, "id", "")), node.attr)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and id(node) not in left_out}


def test_an_ignored_flag_is_seen(tmp_path):
    file = tmp_path / "groups.py"
    file.write_text("class A:\n    def __post_init__(self):\n        self.checked\n"
                    "    def used(self):\n        return self.data.read\n")
    assert attributes(file, beyond_checks=True) == {("data", "read"), ("self", "data")}
    assert ("self", "checked") in attributes(file)


def test_each_flag_is_declared_once():
    declared = Counter(
        node.target.id for file in CONFIG.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call)
        and getattr(node.value.func, "id", "") == "flag")
    assert declared["top_p"] == declared["seed"] == 1
    # Of prompts with run_generation.py, of a file with run_evaluation.py.
    assert {name for name, times in declared.items() if times > 1} == {"classify"}


def test_help_needs_neither_paddle_nor_numpy(command):
    code = ("import sys, run_pretrain\n"
            "try: run_pretrain.parse(['--help'])\n"
            "except SystemExit: pass\n"
            "assert not {'paddle', 'numpy', 'torch'} & set(sys.modules), 'heavy import'")
    process = command("-c", code)
    assert process.returncode == 0, process.stderr
    assert "--model_name_or_path" in process.stdout
