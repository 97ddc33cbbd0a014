"""The commands of data_tools parse as the others do: a file of flags first, and --print_config."""

import json
import subprocess
import sys

import pytest

from data_tools import (
    convert,
    create_completion_data,
    create_pretraining_data,
    inspect,
    merge,
    synthesize,
)

SERVER = ["--endpoint", "http://h", "--model", "m", "--output_file", "o.json"]

COMMANDS = [
    (create_pretraining_data, []),
    (create_pretraining_data, [
        "--input_path", "a", "b", "--language", "go", "rust", "--no-shuffle", "--shard", "1/3",
        "--min_alphanumeric", "0.25", "--vocab_size", "300", "--output_prefix", "out/x"]),
    (create_pretraining_data, ["--tokenizer", "c.model", "--tokenizer_name", "GPTChineseTokenizer",
                               "--cn_splited", "--cn_split_dimer", "|", "--no-append_eos"]),
    (create_pretraining_data, ["--fim_rate", "0.5", "--fim_spm_rate", "0.25"]),
    (create_completion_data, []),
    (create_completion_data, [
        "--input_path", "a", "b", "--languages", "java,zig", "--language_suffixes", "zig=.zig",
        "--split", "window", "--eos", "every_window", "--deduplicate", "near", "--fim_rate", "1"]),
    (convert, ["from-hf", "a.parquet", "x", "--column", "ids", "--eos", "3"]),
    (convert, ["from-nanogpt", "--one_document", "a.bin", "x"]),
    (convert, ["to-hf", "x", "a.parquet"]),
    (inspect, ["x", "--sample", "3", "--num_samples", "9", "--seed", "5", "--part", "valid"]),
    (inspect, ["--verify", "--json", "x"]),
    (merge, ["x"]),
    (synthesize, ["preference", "--input_file", "i.json", *SERVER, "--temperature", "0.5"]),
    (synthesize, ["magpie", *SERVER, "--stop", "a", "b", "--whole_instruction", "--count", "7"]),
]


def printed(command, argv, capsys) -> str:
    with pytest.raises(SystemExit) as end:
        command.parse([*argv, "--print_config"])
    assert end.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("command", "argv"), COMMANDS)
def test_what_is_printed_gives_the_same_run(command, argv, tmp_path, capsys):
    file = tmp_path / "flags.json"
    file.write_text(printed(command, argv, capsys))
    config = command.parse(argv)
    assert json.loads(file.read_text()) == config.flat()
    assert command.parse([str(file)]) == config
    assert printed(command, [str(file)], capsys) == file.read_text()


@pytest.mark.parametrize(("command", "argv", "key", "nearest"), [
    (create_pretraining_data, [], "vocabsize", "vocab_size"),
    (create_completion_data, [], "segment_length", "segment_len"),
    (convert, ["from-npz", "a", "b"], "eso", "eos"), (inspect, ["x"], "num_sample", "num_samples"),
    (merge, ["x"], "prefx", "prefix"),
    (synthesize, ["magpie", *SERVER], "max_token", "max_tokens"),
])
def test_an_unknown_key_is_refused_with_the_nearest(command, argv, key, nearest, tmp_path, capsys):
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({key: 1}))
    with pytest.raises(SystemExit, match="2"):
        command.main([str(file), *argv])
    assert capsys.readouterr().err == (
        f"error: {file}: there is no flag {key}; the nearest one is {nearest}\n")


def test_the_command_line_wins_over_the_file(tmp_path):
    file = tmp_path / "flags.json"
    file.write_text(json.dumps({"shuffle": False, "seed": 5, "include": ["*.py"]}))
    reading = create_pretraining_data.parse([str(file), "--shuffle", "--seed", "6"]).reading
    assert (reading.shuffle, reading.seed, reading.include) == (True, 6, ["*.py"])
    file.write_text(json.dumps({"form": "to-nanogpt", "source": "a", "target": "b", "eos": 1}))
    config = convert.parse([str(file), "--eos", "2"])
    assert (config.form, config.source, config.eos) == ("to-nanogpt", "a", 2)


@pytest.mark.parametrize(("command", "flags", "said"), [
    (create_pretraining_data, {"shard": "4/4"}, "parts of 4 are 0/4 to 3/4, not 4/4"),
    (create_pretraining_data, {"language": ["cobol"]}, "language, item 1, must be one of c, cpp"),
    (create_pretraining_data, {"chinese": True}, "--chinese: not built ("),
    (convert, {"form": "to-hf", "source": "a", "target": "b.parquet", "key": "k"},
     "--key means nothing with to-hf"),
    (inspect, {"prefix": "x", "seed": 3}, "--seed shuffles the samples"),
])
def test_a_group_checks_the_file_too(command, flags, said, tmp_path, capsys):
    file = tmp_path / "flags.json"
    file.write_text(json.dumps(flags))
    with pytest.raises(SystemExit, match="2"):
        command.parse([str(file)])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", [create_pretraining_data, convert, inspect, merge])
def test_help_loads_nothing_heavy(command):
    code = (
        f"import sys\nfrom {command.__name__} import main\ntry: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'tokenizers', 'tqdm', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(bool(heavy))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert shown.returncode == 0 and f"usage: python -m {command.__name__} [FILE]" in shown.stdout
