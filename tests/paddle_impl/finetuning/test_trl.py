"""The library trl as a second witness of the losses: its own code, over the same log-probabilities.

trl computes in float32. Its forward pass is replaced by plain transformers, since only the losses
and what is logged are compared; pip install trl==1.16.0 makes the tests run.
"""

import os
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.finetuning.preference_loss import preference
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.training.measuring import to_tensors

os.environ["HF_HUB_OFFLINE"] = "1"
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
dpo_trainer = pytest.importorskip("trl.trainer.dpo_trainer", reason="trl is not installed")

BETA = 0.3
SHAPE = ModelConfig(n_layer=2, n_embd=16, n_head=2, vocab_size=60, n_positions=24, embd_pdrop=0.0,
                    attn_pdrop=0.0, resid_pdrop=0.0, initializer_range=0.3)
# Ours -> trl's. Its ipo is over means; a name with two parts is the sum of two losses there.
FORMS = {"sigmoid": ["sigmoid"], "sigmoid_norm": ["sigmoid_norm"], "ipo_norm": ["ipo"],
         "hinge": ["hinge"]}


@pytest.fixture(scope="module")
def batch():
    """Three pairs; responses of other lengths, and all of one length on the chosen side, since
    trl's cross entropy is a mean over the tokens of a batch."""
    stream = np.random.default_rng(4)
    ids = stream.integers(1, 60, (6, 15))
    mask = np.zeros((6, 15), bool)
    for row, (start, length) in enumerate(((3, 5), (6, 5), (9, 5), (3, 12), (6, 1), (9, 3))):
        mask[row, start : start + length] = True
    return {"ids": ids, "mask": mask, "reference": stream.normal(-20.0, 4.0, 6)}


@pytest.fixture(scope="module")
def ours():
    model = GPTForCausalLM(SHAPE)
    initialize(model, 0)
    return model


@pytest.fixture(scope="module")
def theirs(ours, tmp_path_factory):
    import json

    from safetensors.numpy import save_file
    directory = tmp_path_factory.mktemp("hf")
    (directory / "config.json").write_text(json.dumps(SHAPE.to_hf()))
    save_file(hugging_face.to_hf(ours), directory / "model.safetensors", {"format": "pt"})
    return transformers.GPT2LMHeadModel.from_pretrained(directory)


class Fused:
    """What trl's fused head gives, from the logits of a model."""

    training = True

    def __init__(self, model):
        self.model = model

    def __call__(self, input_ids, attention_mask, labels, **_):
        logits = self.model(input_ids).logits[:, :-1]
        kept = (labels[:, 1:] != -100).float()
        every = logits.log_softmax(-1)
        each = every.gather(-1, input_ids[:, 1:, None]).squeeze(-1) * kept
        zeros = torch.zeros_like(each)
        return SimpleNamespace(log_probs=each, entropy=zeros, mean_logits=zeros,
                               is_top1=zeros.bool(), log_sum_sq_probs=zeros)


def of_trl(model, batch, losses, weights):
    """(loss, what is logged) by trl's own function."""
    trainer = object.__new__(dpo_trainer.DPOTrainer)
    vars(trainer).update(
        model=model, aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=True,
        f_divergence_type="reverse_kl", loss_types=losses, loss_weights=weights, beta=BETA,
        label_smoothing=0.0, use_weighting=False, _metrics={"train": defaultdict(list)},
        _total_train_tokens=0, _tp_size=1, accelerator=SimpleNamespace(
            device="cpu", gather=lambda x: x, gather_for_metrics=lambda x: x))
    chosen, rejected = torch.from_numpy(batch["reference"]).float().chunk(2)
    inputs = {"input_ids": torch.from_numpy(batch["ids"]),
              "attention_mask": torch.ones(batch["ids"].shape, dtype=torch.long),
              "completion_mask": torch.from_numpy(batch["mask"]).long(),
              "ref_chosen_logps": chosen, "ref_rejected_logps": rejected}
    loss = trainer._compute_loss(model, inputs, return_outputs=False)
    return loss, {name: values[-1] for name, values in trainer._metrics["train"].items()}


def of_ours(model, batch, form, **more):
    ids, pairs = batch["ids"], len(batch["ids"]) // 2
    labels = np.where(batch["mask"], ids, -100)
    total, metrics = preference(form, BETA, **more).loss(model, to_tensors({
        "input_ids": ids[:, :-1], "labels": labels[:, 1:], "reference": batch["reference"]}))
    return total / pairs, {name: float(a) / float(b) for name, (a, b) in metrics.items()}


@pytest.mark.parametrize("sft_weight", [0.0, 0.75])
@pytest.mark.parametrize("form", FORMS)
def test_losses_and_gradients_are_trls(ours, theirs, batch, form, sft_weight):
    names = FORMS[form] + (["sft"] if sft_weight else [])
    expected, logged = of_trl(Fused(theirs), batch, names, [1.0, sft_weight][: len(names)])
    loss, metrics = of_ours(ours, batch, form, sft_weight=sft_weight)
    assert float(loss) == pytest.approx(expected.item(), rel=5e-6)
    theirs.zero_grad()
    ours.clear_gradients()
    expected.backward()
    loss.backward()
    own = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        gradient = parameter.grad.numpy()
        np.testing.assert_allclose(own[name].grad.numpy(), gradient, rtol=0,
                                   atol=2e-5 * np.abs(gradient).max() + 1e-7, err_msg=name)
    if not form.endswith("_norm"):  # what trl logs is of sums, whatever the loss is of
        for name, theirs_name in (
                ("chosen_reward", "rewards/chosen"), ("rejected_reward", "rewards/rejected"),
                ("margin", "rewards/margins"), ("accuracy", "rewards/accuracies"),
                ("chosen_logp", "logps/chosen"), ("rejected_logp", "logps/rejected")):
            assert metrics[name] == pytest.approx(logged[theirs_name], rel=5e-6, abs=1e-6), name


def test_label_smoothing_is_trls_mixture_of_both_directions(ours, theirs, batch):
    """trl has no conservative form of sigmoid; its `robust` one is linear in both directions."""
    turned = {"ids": np.roll(batch["ids"], 3, 0), "mask": np.roll(batch["mask"], 3, 0),
              "reference": np.roll(batch["reference"], 3)}
    right, wrong = (of_trl(Fused(theirs), one, ["sigmoid"], [1.0])[0].item()
                    for one in (batch, turned))
    loss, _ = of_ours(ours, batch, "sigmoid", label_smoothing=0.2)
    assert float(loss) == pytest.approx(0.8 * right + 0.2 * wrong, rel=5e-6)


def test_sums_and_means_differ(ours, batch):
    with paddle.no_grad():
        found = {form: float(of_ours(ours, batch, form)[0]) for form in ("ipo", "ipo_norm")}
    assert found["ipo"] > 2 * found["ipo_norm"]
