"""--adapter in run_generation.py and run_evaluation.py, as a user types it."""

import json
import re
import signal
import sys

import openai
import pytest

import run_evaluation
import run_generation
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint, lora
from paddle_impl.checkpoint import TrainingState, plain
from paddle_impl.config.model import ModelConfig
from paddle_impl.lora import LoraOptions
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.optim.adamw import build_optimizer
from tests.paddle_impl.lora import tiny

TOKENIZER = Tokenizer.byte_level()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    model = GPTForCausalLM(ModelConfig(
        n_layer=2, n_embd=16, n_head=2, vocab_size=TOKENIZER.vocab_size, n_positions=96,
        initializer_range=0.5, bos_token_id=256, eos_token_id=256))
    initialize(model, 0)
    place = tmp_path_factory.mktemp("model") / "base"
    plain.write_model(place, model, TOKENIZER)
    return place


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    """A checkpoint as run_finetune.py writes it, with the row of a new token, `<python>`."""
    tokenizer = TOKENIZER.with_added_tokens(["<python>"])
    model = GPTForCausalLM(checkpoint.load_config(base).with_(vocab_size=tokenizer.vocab_size))
    checkpoint.load_weights(base, model, grow_vocabulary=True)
    lora.apply_lora(model, LoraOptions(lora_dim=2, lora_alpha=64), base=base,
                    new_tokens=[TOKENIZER.vocab_size])
    tiny.fill(model)
    optimizer = build_optimizer(model, learning_rate=0.1, weight_decay=0.0)
    state = TrainingState(1, 4, 1, "k", "o", None, 4, {})
    return checkpoint.save(tmp_path_factory.mktemp("run"), model, optimizer, state, tokenizer)


@pytest.fixture(scope="module")
def merged(base, adapter, tmp_path_factory):
    """The same as a whole model."""
    place = tmp_path_factory.mktemp("merged") / "whole"
    plain.write_model(place, lora.load_merged(base, adapter), Tokenizer.load(adapter))
    return place


def words(*parts):
    return [str(part) for part in (*parts, "--device", "cpu")]


def generated(tmp_path, *more):
    output = tmp_path / "texts.jsonl"
    run_generation.main(words("--prompt", "def f", "x =", "--max_dec_len", 12, "--output_file",
                              output, *more))
    return [json.loads(line)["text"] for line in output.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("more", [(), ("--language", "python"), ("--decoder", "native"),
                                  ("--decode_strategy", "beam_search", "--num_beams", 3)])
def test_texts_are_those_of_the_merged_model(base, adapter, merged, tmp_path, more):
    expected = generated(tmp_path, "--model_name_or_path", merged, *more)
    both = ("--model_name_or_path", base, "--adapter", adapter)
    for named in (both, ("--adapter", adapter), ("--model_name_or_path", adapter)):
        assert generated(tmp_path, *named, *more) == expected
    if "--language" not in more:
        assert generated(tmp_path, "--model_name_or_path", base, *more) != expected


def test_a_conversation_has_the_adapter(base, adapter, merged, command):
    one, other = (command(
        "run_generation.py", *words(*named, "--interactive", "--language", "python"),
        input="def f\nexit\n") for named in (
            ("--model_name_or_path", base, "--adapter", adapter), ("--model_name_or_path", merged)))
    assert (one.returncode, other.returncode) == (0, 0), one.stderr + other.stderr
    assert ">>> def f" in one.stdout and one.stdout == other.stdout


def test_an_export_holds_the_adapter(base, adapter, merged, tmp_path):
    for number, named in enumerate((("--model_name_or_path", merged), ("--adapter", adapter))):
        run_generation.main(words(*named, "--export", tmp_path / f"{number}"))
    for name in ("model.pdiparams", "tokenizer.json"):
        assert (tmp_path / "0" / name).read_bytes() == (tmp_path / "1" / name).read_bytes()


@pytest.mark.parametrize("measure", ["wikitext", "lambada", "minitest", "humaneval", "infill"])
def test_measures_are_those_of_the_merged_model(base, adapter, merged, tmp_path, measure):
    text = tmp_path / "text"
    text.write_text("one two three four\nfive six seven eight\n")
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text(json.dumps({
        "task_id": "HumanEval/0", "prompt": "def one():\n", "entry_point": "one",
        "canonical_solution": "    return 1\n", "test": "def check(candidate):\n    pass\n"}))
    more = {"minitest": ["--minitest"],
            "humaneval": ["--humaneval", tasks, "--samples_file", tmp_path / "samples",
                          "--num_samples", 2, "--max_dec_len", 5],
            "infill": ["--infill", tasks, "--infill_mode", "left_to_right", "--language", "python",
                       "--max_dec_len", 5]}.get(measure, [f"--{measure}", text])

    def measured(*named):
        output = tmp_path / "out.json"
        run_evaluation.main(words(*named, *more, "--output_file", output))
        numbers = json.loads(output.read_text())
        if measure == "humaneval":
            numbers["samples"] = (tmp_path / "samples").read_text()
            (tmp_path / "samples").unlink()
        return {name: one for name, one in numbers.items() if name not in ("checkpoint", "adapter")}

    expected = measured("--model_name_or_path", merged)
    assert measured("--model_name_or_path", base, "--adapter", adapter) == expected
    assert measured("--adapter", adapter) == expected


def test_an_adapter_is_compared_with_its_base(base, adapter, tmp_path):
    page = tmp_path / "page.html"
    run_evaluation.main(words("--minitest", "--compare", base, adapter, "--output_file", page))
    one, other = (json.loads((tmp_path / f"page_{number}.json").read_text()) for number in (1, 2))
    assert (one["checkpoint"], other["checkpoint"]) == (str(base), str(adapter))
    assert one["answers"] != other["answers"]


def test_the_numbers_say_which_adapter(base, adapter, tmp_path):
    output = tmp_path / "out.json"
    (tmp_path / "text").write_text("one two three\n")
    run_evaluation.main(words("--model_name_or_path", base, "--adapter", adapter, "--wikitext",
                              tmp_path / "text", "--output_file", output))
    told = json.loads(output.read_text())
    assert (told["checkpoint"], told["adapter"]) == (str(base), str(adapter))


@pytest.fixture
def served(start):
    """Start the server; returns (job, client)."""

    def begin(*named):
        job = start(sys.executable, "run_generation.py", *words(*named, "--serve", "--port", 0))
        assert job.wait_until(lambda: re.search(r"serving \S+ at (\S+)/v1", job.said())), job.said()
        url = re.search(r"serving \S+ at (\S+)/v1", job.said()).group(1)
        return job, openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=120)

    return begin


def answers(client, name):
    found = client.completions.create(
        model=name, prompt=["def f", "x ="], seed=123, max_tokens=12, temperature=1.0,
        extra_body={"top_k": 5, "min_tokens": 1})
    assert found.model == name
    return [choice.text for choice in found.choices]


def test_the_server_has_each_adapter_under_its_name(served, base, adapter, merged, tmp_path):
    job, client = served("--model_name_or_path", base, "--adapter", f"one={adapter}",
                         f"two={adapter}")
    assert [one.id for one in client.models.list().data] == ["base", "one", "two"]
    expected = generated(tmp_path, "--model_name_or_path", merged)
    assert answers(client, "one") == answers(client, "two") == expected
    assert answers(client, "base") == generated(tmp_path, "--model_name_or_path", base) != expected
    assert re.search(r"^one is a whole model in memory, with \d+ MiB of weights$", job.said(), re.M)
    job.process.send_signal(signal.SIGTERM)
    assert job.wait() == 0, job.said()


def test_the_server_has_one_adapter_alone(served, base, adapter, merged, tmp_path):
    _, client = served("--model_name_or_path", base, "--adapter", adapter)
    assert [one.id for one in client.models.list().data] == [adapter.name]
    assert answers(client, adapter.name) == generated(tmp_path, "--model_name_or_path", merged)


@pytest.mark.parametrize(("named", "said"), [
    (lambda base, adapter: ("--adapter", base), "holds no adapter: it has no adapter_config.json"),
    (lambda base, adapter: ("--model_name_or_path", adapter, "--adapter", adapter),
     "not a whole model"),
    (lambda base, adapter: ("--adapter", "nowhere"), "nowhere holds no adapter"),
], ids=["a base", "twice", "nowhere"])
def test_mistakes_are_one_line(base, adapter, capsys, named, said):
    for main, more in ((run_generation.main, ("--prompt", "a")),
                       (run_evaluation.main, ("--minitest",))):
        with pytest.raises(SystemExit) as end:
            main(words(*named(base, adapter), *more))
        err = capsys.readouterr().err
        assert end.value.code == 2 and said in err and err.count("\n") == 1
