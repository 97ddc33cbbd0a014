"""The judge and the synthesis of records, with this project's own server behind them."""

import json
import os
from pathlib import Path

import pytest

import run_evaluation
from data_tools import synthesize
from paddle_impl.config.model import ModelConfig
from tests.paddle_impl.serving.conftest import CHAT, Reciter, Running

ROOT = Path(__file__).resolve().parents[2]
ROWS = [{"instruction": f"Task {number}.", "input": "", "output": f"Out {number}.",
         "model_response": response} for number, response in enumerate(["Out.", "", "Other."])]


class Model:
    """Of which only the shape is used; prompts of a judge have some 600 bytes, a token each."""

    config = ModelConfig(n_layer=1, n_embd=8, n_head=1, vocab_size=260, n_positions=4096)


@pytest.fixture
def serve(tmp_path):
    """Start a server that says `text`, with a chat template unless told otherwise: its URL."""
    running = []

    def begin(text: str, template: str | None = CHAT) -> str:
        folder = tmp_path / "model"
        folder.mkdir()
        if template:
            (folder / "chat_template.jinja").write_text(template)
        running.append(Running(Model, folder,
                               lambda rows, positions: Reciter(rows, positions, text)))
        return running[-1].url

    yield begin
    for one in running:
        one.end()


def judge(url, responses, tmp_path, *more) -> dict:
    run_evaluation.main(["--judge", url, "--responses", str(responses), "--output_file",
                         str(tmp_path / "out.json"), "--judge_cache", str(tmp_path / "c.jsonl"),
                         *more])
    return json.loads((tmp_path / "out.json").read_text())


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(ROWS))
    return path


def test_the_server_is_the_judge(serve, rows, tmp_path, capsys):
    numbers = judge(serve("Score: 60/100"), rows, tmp_path)
    assert (numbers["scores"], numbers["records"], numbers["average"]) == (3, 3, 40.0)
    assert (numbers["judge"], numbers["asked"], numbers["agreement"]) == ("tiny", 3, 1.0)
    out = capsys.readouterr().out
    assert "Number of scores: 3 of 3\nAverage score: 40.00\n" in out


def test_a_model_without_a_chat_template_is_no_judge(serve, rows, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        judge(serve("60", None), rows, tmp_path)
    said = capsys.readouterr()
    assert ended.value.code == 2 and "has given no score to model_response" in said.err
    assert "Number of scores: 1 of 3\n" in said.out  # the response that is empty
    assert "the model has no chat template" in said.out


@pytest.mark.parametrize("name", ["eval-example-data.json", "instruction-data-with-response.json"])
def test_the_files_of_the_source(serve, name, tmp_path, capsys):
    shared = Path(os.environ.get("GPT_SHARED_DATA", ROOT.parent / "shared" / "data")) / "instruct"
    if not (shared / name).exists():
        pytest.skip(f"{name} is not in {shared}; set GPT_SHARED_DATA")
    numbers = judge(serve("70"), shared / name, tmp_path, "--judge_concurrency", "16")
    told = {row["responses"]: (row["scores"], row["records"])
            for row in numbers.get("rows", [numbers])}
    assert told == ({"model 1 response": (100, 100), "model 2 response": (100, 100)}
                    if name.startswith("eval") else {"model_response": (110, 110)})
    assert capsys.readouterr().out.count("Number of scores: ") == len(told)


def make(kind, url, tmp_path, *more) -> list[dict]:
    assert synthesize.main([kind, "--endpoint", url, "--model", "tiny", "--output_file",
                            str(tmp_path / "made.json"), *more]) == 0
    return json.loads((tmp_path / "made.json").read_text())


def test_the_server_makes_up_an_instruction_and_answers_it(serve, tmp_path):
    url = serve("\n\nName a color.\nRed.")
    assert make("magpie", url, tmp_path, "--count", "1") == [
        {"instruction": "Name a color.", "output": "Name a color.\nRed."}]


def test_the_server_rewrites_outputs(serve, rows, tmp_path):
    pairs = make("preference", serve("Please."), tmp_path, "--input_file", str(rows))
    assert [(pair["output"], {pair["chosen"], pair["rejected"]}) for pair in pairs] == [
        (f"Out {number}.", {f"Out {number}.", "Please."}) for number in range(3)]
