"""The loss that counts samples by their key tokens, and the flags that ask for it."""

import json

import numpy as np
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import notebook
from paddle_impl.config.finetune import FinetuneConfig
from paddle_impl.config.training import TrainingOptions
from paddle_impl.data.batch import IGNORED
from paddle_impl.key_tokens import key_ids, key_token_weighted, objective_of
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.training.measuring import to_tensors

KEYS, ALPHA = (7, 9), 0.5
# (input ids, labels): a whole sample; one that ends in a key and is padded with 1; one with a
# label that is left out, whose token is a key; one without any label.
ROWS = [
    ([7, 3, 9, 7], [3, 9, 7, 4]),
    ([2, 3, 1, 1], [3, 9, IGNORED, IGNORED]),
    ([2, 0, 9, 5], [0, IGNORED, 5, 6]),
    ([7, 7, 7, 7], [IGNORED] * 4),
]
COUNTS = [3, 1, 1]


def batch(rows) -> dict:
    ids, labels = (np.array(part, np.int64) for part in zip(*rows, strict=True))
    return {"input_ids": ids, "labels": labels}


def test_it_is_the_mean_of_each_sample_times_its_key_tokens(tiny_model):
    tiny_model.eval()
    objective, wanted = key_token_weighted(KEYS, ALPHA), 0.0
    for row, count in zip(ROWS[:3], COUNTS, strict=True):
        one = batch([row])
        loss, _ = CAUSAL_LM.loss(tiny_model, to_tensors(one))
        wanted += float(loss) / CAUSAL_LM.weight(one) * ALPHA * (1 + count)
    loss, metrics = objective.loss(tiny_model, to_tensors(batch(ROWS)))
    assert float(loss) == pytest.approx(wanted, rel=1e-5)
    assert objective.weight(batch(ROWS)) == 3.0
    plain, _ = CAUSAL_LM.loss(tiny_model, to_tensors(batch(ROWS)))
    total, count = metrics["cross_entropy"]
    assert float(total) == pytest.approx(float(plain)) and float(count) == 9.0


def test_a_key_is_one_token_with_and_without_a_space():
    tokenizer = Tokenizer.train(["plt pd plt\nplt.fit( fit\n" * 20], 280)
    ids = key_ids(["plt", "fit"], tokenizer)
    assert [tokenizer.decode([i]) for i in ids] == ["plt", " plt", "fit", " fit"]
    with pytest.raises(ValueError, match="--key_tokens: 'predict' is 7 tokens of the tokenizer"):
        key_ids(["plt", "predict"], tokenizer)
    with pytest.raises(ValueError, match="--key_tokens: ' pd' is"):
        key_ids(["pd"], Tokenizer.train(["(pd)[pd] .pd\n" * 20], 262))
    assert objective_of(TrainingOptions(), None) is CAUSAL_LM
    with pytest.raises(ValueError, match="needs a tokenizer"):
        objective_of(TrainingOptions(key_tokens=["plt"]), None)


@pytest.mark.parametrize(("flags", "said"), [
    ({"key_token_alpha": 2.0}, "--key_token_alpha 2.0 means nothing without --key_tokens"),
    ({"key_tokens": ["a"], "key_token_alpha": 0.0}, "--key_token_alpha must be positive"),
    ({"key_tokens": [""]}, "--key_tokens takes one word or several"),
])
def test_wrong_flags_are_named(flags, said):
    with pytest.raises(ValueError, match=said):
        FinetuneConfig.of(**{"output_dir": "o", "model_name_or_path": "code-mini"} | flags)


def test_a_run_is_trained_on_it_and_measured_without(tiny_data, tmp_path):
    """With a rate of 0 both runs have the same weights: only the training loss differs."""
    found = {}
    for name, flags in (("plain", {}), ("keyed", {"key_tokens": ["a", "b"],
                                                  "key_token_alpha": 3.0})):
        last = notebook.pretrain(
            model_name_or_path="code-mini", input_dir=str(tiny_data),
            output_dir=str(tmp_path / name), split="80,15,5", max_seq_len=32, micro_batch_size=4,
            global_batch_size=8, max_steps=2, max_lr=0.0, min_lr=0.0, check_accuracy=True,
            logging_freq=1, eval_freq=1, eval_iters=2, report_to="none", peak_tflops=1.0, **flags)
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        found[name] = list(map(json.loads, lines))
        settings = json.loads((last / "training_state.json").read_text())["schedule"]
        assert settings.get("key_tokens") == ("a b" if flags else None)
    plain, keyed = found["plain"], found["keyed"]
    for one, other in zip(plain, keyed, strict=True):
        assert {k: v for k, v in one.items() if k.startswith(("valid", "test"))} == {
            k: v for k, v in other.items() if k.startswith(("valid", "test"))}
        if "loss" in one:
            # No label is masked but behind end tokens, so that samples are equally long.
            assert other["cross_entropy"] == pytest.approx(one["loss"], rel=1e-5)
            assert other["loss"] > 5 * one["loss"]
