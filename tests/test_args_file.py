"""Flags from a file, and --print_config, which writes such a file; unknown keys are refused."""

import json
import sys

import pytest

import run_evaluation
import run_finetune
import run_generation
import run_pretrain

PRETRAIN = {"model_type": "gpt", "model_name_or_path": "gpt2-en", "input_dir": "d",
            "output_dir": "o"}
EVALUATE = ["--model_name_or_path", "m"]
GENERATE = ["--model_name_or_path", "m"]
COMMANDS = [
    (run_pretrain, [word for name, value in PRETRAIN.items() for word in (f"--{name}", value)]),
    (run_finetune, ["--model_select", "distilgpt2", "--output_dir", "o", "--lr", "0.5"]),
    (run_generation, GENERATE), (run_evaluation, [*EVALUATE, "--minitest"]),
]


@pytest.fixture
def saved(tmp_path):
    """saved(content, name): the path of a file with this content, as JSON unless it is text."""

    def write(content, name="flags.json") -> str:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def refusal(capsys, parse, *argv) -> str:
    with pytest.raises(SystemExit) as end:
        parse(list(argv))
    err = capsys.readouterr().err
    assert end.value.code == 2 and err.count("\n") == 1
    return err


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(saved):
    file = saved(PRETRAIN | {"max_lr": 0.5, "seed": 7, "resume": True, "dtype": None})
    config = run_pretrain.parse([file, "--seed", "8", "--resume", "false"])
    assert (config.schedule.max_lr, config.runtime.seed, config.checkpoint.resume) == \
        (0.5, 8, False)
    assert config.schedule.min_lr == 1e-5 and config.precision.dtype is None
    assert run_pretrain.parse([file]).checkpoint.resume is True


def test_values_are_those_of_the_command_line(saved):
    file = saved({"model_name_or_path": "m", "prompt": ["a", "b"], "eos_token_id": [1, 2],
                  "early_stopping": "never", "decode_strategy": "beam_search", "num_beams": 2,
                  "top_p": 1, "stream": False})
    given = run_generation.parse([
        *GENERATE, "--prompt", "a", "b", "--eos_token_id", "1", "2", "--early_stopping", "never",
        "--decode_strategy", "beam_search", "--num_beams", "2", "--top_p", "1", "--stream",
        "false"])
    config = run_generation.parse([file])
    assert config == given
    assert isinstance(config.decoding.top_p, float), "a whole number is a number"


def test_required_flags_may_come_from_either(saved, capsys):
    some = {name: PRETRAIN[name] for name in ("model_name_or_path", "input_dir", "output_dir")}
    assert run_pretrain.parse([saved(some), "--model_type", "gpt"]).data.input_dir == "d"
    assert "the following arguments are required: --model_type\n" in refusal(
        capsys, run_pretrain.parse, saved(some))
    del some["model_name_or_path"]
    assert "--model_name_or_path is required: a registry name or a checkpoint directory; or " \
        "--init_from" in refusal(capsys, run_pretrain.parse, saved(some), "--model_type", "gpt")
    assert run_pretrain.parse([saved(some), "--model_type", "gpt", "--init_from", "x"])


@pytest.mark.parametrize(("key", "value", "said"), [
    ("max_step", 3, "there is no flag max_step; the nearest one is max_steps"),
    ("--seed", 3, "there is no flag --seed; the nearest one is seed"),
    ("decoder", "native", "there is no flag decoder; the nearest one is "),
    ("max_steps", "8", 'max_steps must be a whole number, got "8"; write 8 without quotes'),
    ("max_steps", 8.0, "max_steps must be a whole number, got 8.0"),
    ("max_steps", True, "max_steps must be a whole number, got true"),
    ("max_lr", "x", 'max_lr must be a number, got "x"'),
    ("max_lr", False, "max_lr must be a number, got false"),
    ("max_lr", 10**400, "max_lr is too large a number"),
    ("input_dir", 3, "input_dir must be text, got 3"),
    ("input_dir", None, "input_dir must be text, got null"),
    ("max_seq_len", None, "max_seq_len must be a whole number, got null"),
    ("resume", "yes", 'resume must be true, false, got "yes"'),
    ("resume", 1, "resume must be true, false, got 1"),
    ("device", "tpu", 'device must be one of cpu, gpu, xpu, got "tpu"'),
    ("sharding_stage", 4, "sharding_stage must be one of 1, 2, 3, got 4"),
])
def test_a_wrong_key_or_value_is_named_with_its_file(saved, capsys, key, value, said):
    file = saved(PRETRAIN | {key: value})
    err = refusal(capsys, run_pretrain.parse, file)
    assert file in err and said in err and err.startswith("run_pretrain.py: error: ")


@pytest.mark.parametrize(("key", "value", "said"), [
    ("prompt", "a", 'prompt must be a list, got "a"'),
    ("prompt", ["a", 3], "prompt, item 2, must be text, got 3"),
    ("early_stopping", "maybe", 'early_stopping must be true, false, never, got "maybe"'),
])
def test_lists_and_words(saved, capsys, key, value, said):
    assert said in refusal(
        capsys, run_generation.parse, saved({"model_name_or_path": "m", key: value}))


@pytest.mark.parametrize(("content", "said"), [
    ("{", "is not JSON: "), ("[1]", "holds [1], expected an object whose keys are flags"),
    ("null", "holds null, expected an object"), ("[" * 99999, "is nested too deeply"),
    ('{"seed": 1, "seed": 2}', "seed is there twice"),
])
def test_what_holds_no_flags(saved, capsys, content, said):
    assert said in refusal(capsys, run_pretrain.parse, saved(content))


def test_what_is_no_file(tmp_path, capsys):
    for path in (tmp_path, tmp_path / "none"):
        assert f"the file of flags {path} cannot be read" in refusal(
            capsys, run_pretrain.parse, str(path))
    (tmp_path / "x").write_bytes(b"\xff")
    assert "is not UTF-8" in refusal(capsys, run_pretrain.parse, str(tmp_path / "x"))


def test_the_file_stands_first(saved, capsys):
    file = saved({})
    assert f"unrecognized arguments: {file}" in refusal(
        capsys, run_generation.parse, *GENERATE, file)


def test_the_group_that_checks_a_value_checks_that_of_the_file_too(saved, capsys):
    assert "--max_steps must be at least 1, got 0" in refusal(
        capsys, run_pretrain.parse, saved(PRETRAIN | {"max_steps": 0}))


def test_yaml(saved, capsys, monkeypatch):
    pytest.importorskip("yaml")
    text = "model_name_or_path: m\nprompt: [a, b]\ntemperature: 0.5\nstream: false\ntop_k: null\n"
    config = run_generation.parse([saved(text, "flags.yaml")])
    assert config.prompts.prompt == ["a", "b"] and config.decoding.temperature == 0.5
    # YAML 1.1 wants a point before the exponent.
    assert 'max_lr must be a number, got "1e-4"; write 0.0001 without quotes' in refusal(
        capsys, run_pretrain.parse, saved("max_lr: 1e-4\n", "flags.yml"))
    assert "is not YAML" in refusal(capsys, run_pretrain.parse, saved("a: [", "flags.yml"))
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert "which needs PyYAML: pip install pyyaml, or write it as JSON" in refusal(
        capsys, run_pretrain.parse, saved(text, "flags.yaml"))


@pytest.mark.parametrize(("entry", "argv"), [
    *COMMANDS,
    (run_pretrain, [*COMMANDS[0][1], "--max_lr", "1e-3", "--use_amp", "--dtype", "bfloat16",
                    "--global_batch_size", "64", "--test_file", "f", "--top_k", "0"]),
    (run_generation, [*GENERATE, "--interactive"]), (run_generation, [*GENERATE, "--serve"]),
    (run_generation, [*GENERATE, "--export", "e"]),
    (run_generation, [*GENERATE, "--prompt", "Grüße \n", "--decode_strategy", "beam_search",
                      "--num_beams", "3", "--early_stopping", "never"]),
    (run_generation, [*GENERATE, "--stop", "\n\n", "x", "--eos_token_id", "1", "--stream"]),
    (run_evaluation, ["--compare", "a", "b"]),
    (run_evaluation, [*EVALUATE, "--input_dir", "d", "--stride", "7"]),
    (run_evaluation, ["--humaneval", "f", "--samples_file", "s", "--allow_code_execution"]),
])
def test_what_is_printed_gives_the_same_run(entry, argv, saved, capsys):
    config = entry.parse(argv)
    with pytest.raises(SystemExit) as end:
        entry.parse([*argv, "--print_config"])
    printed = capsys.readouterr().out
    assert end.value.code == 0
    assert json.loads(printed) == config.flat()
    assert entry.parse([saved(printed)]) == config
    with pytest.raises(SystemExit):
        entry.parse([saved(printed), "--print_config"])
    assert capsys.readouterr().out == printed


def test_defaults_of_the_mode_are_printed(capsys):
    with pytest.raises(SystemExit):
        run_generation.parse([*GENERATE, "--interactive", "--print_config"])
    found = json.loads(capsys.readouterr().out)
    assert (found["max_dec_len"], found["temperature"], found["top_k"], found["stop"]) == \
        (128, 0.7, 0, ["\n\n"])


def test_what_would_be_refused_is_not_printed(capsys):
    assert "what to measure?" in refusal(capsys, run_evaluation.parse, *EVALUATE, "--print_config")


@pytest.mark.parametrize(("entry", "argv"), COMMANDS)
def test_printing_needs_neither_paddle_nor_numpy(entry, argv, command):
    code = (f"import sys, {entry.__name__} as it\n"
            "try: it.main(sys.argv[1:])\n"
            "except SystemExit as end: assert end.code == 0\n"
            "assert not {'paddle', 'numpy', 'torch'} & set(sys.modules), 'heavy import'")
    process = command("-c", code, *argv, "--print_config")
    assert process.returncode == 0, process.stderr
    assert "model_name_or_path" in json.loads(process.stdout)


def test_flags_may_come_from_a_file_by_either_name(saved, capsys):
    file = saved({"output_dir": "o", "lr": 0.5, "per_gpu_train_batch_size": 3,
                  "visiable_device": "1", "model_select": "distilgpt2", "restore_training": True})
    config = run_finetune.parse([file, "--lr", "0.25"])
    assert (config.schedule.max_lr, config.examples.per_gpu_train_batch_size) == (0.25, 3)
    assert (config.processes.visible_device, config.checkpoint.resume) == ("1", True)
    told = refusal(capsys, run_finetune.parse, saved({"output_dir": "o", "num_epochs": 3}))
    assert "there is no flag num_epochs; the nearest one is num_train_epochs" in told
