"""What a run takes over from the directory whose weights it starts from."""

import json

import pytest

from data_tools.token_files.writer import TokenFileWriter
from data_tools.tokenizing.tokenizer import Tokenizer, load_tokenizer
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.pretraining import pretraining_run
from tests.paddle_impl.published import CHOSEN, IM_END, TEMPLATE, write

DECLARED = {"eos_token_id": [CHOSEN, IM_END], "temperature": 0.7}


@pytest.fixture
def data(tmp_path):
    """Made with the tokens of `published`, of which <|endoftext|> ends documents."""
    tokenizer = Tokenizer.byte_level().with_added_tokens(["<|im_end|>"])
    with TokenFileWriter(tmp_path / "data", tokenizer.vocab_size, tokenizer) as writer:
        for number in range(40):
            writer.append([*tokenizer.encode(f"x = {number}\n"), tokenizer.eos_token_id])
    return tmp_path / "data"


def trained(tmp_path, data, **flags):
    config = PretrainConfig.of(**{
        "model_type": "gpt", "model_name_or_path": str(tmp_path / "given"),
        "input_dir": str(data), "output_dir": str(tmp_path / "run"), "max_seq_len": 16,
        "micro_batch_size": 2, "max_steps": 1, "device": "cpu", "eval_iters": 0} | flags)
    run = pretraining_run(config)
    run.train()
    return run, tmp_path / "run" / f"model_{config.training.max_steps}"


def told(path, name):
    return json.loads((path / name).read_text(encoding="utf-8"))


def test_end_tokens_and_chat_template_are_kept_from_checkpoint_to_checkpoint(tmp_path, data):
    write(tmp_path / "given", ends=[IM_END, 5], generation=DECLARED)
    run, first = trained(tmp_path, data)
    assert run.task.inputs.end_token == 256  # the data's, which the labels are masked behind
    (warning,) = run.task.warnings
    assert warning == ("documents end in token 256, which is no end token of the model: its "
                       f"continuations end in [{CHOSEN}, {IM_END}]")
    resumed = trained(tmp_path, data, max_steps=2, resume=True)[1]
    for path in (first, resumed):
        config, names = told(path, "config.json"), told(path, "tokenizer_config.json")
        assert (config["eos_token_id"], config["bos_token_id"]) == ([IM_END, 5], 256)
        assert told(path, "generation_config.json") == DECLARED
        assert (names["eos_token"], names["model_max_length"]) == ("<|im_end|>", 64)
        tokenizer = load_tokenizer(path)
        assert tokenizer.chat_template == TEMPLATE and tokenizer.eos_token_id == IM_END


def test_without_its_tokenizer_they_are_the_data_s(tmp_path, data):
    given = write(tmp_path / "given", generation=DECLARED)
    for name in ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json"):
        (given / name).unlink()
    run, path = trained(tmp_path, data)
    assert told(path, "config.json")["eos_token_id"] == 256 and not run.task.warnings
    assert not (path / "generation_config.json").exists()
    assert load_tokenizer(path).chat_template is None


def test_what_transformers_wrote_over_is_started_from_as_weights(tmp_path, data):
    transformers = pytest.importorskip("transformers")
    write(tmp_path / "given")
    _, path = trained(tmp_path, data)
    model = transformers.GPT2LMHeadModel.from_pretrained(path)
    model.save_pretrained(path)
    run, again = trained(tmp_path, data, model_name_or_path=str(path),
                         output_dir=str(tmp_path / "again"))
    assert run.start_step == 0
    (warning,) = [one for one in run.warnings if "was written over" in one]
    assert "training cannot be resumed from it" in warning
