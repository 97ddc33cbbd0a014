"""Which parameters a policy trains, and how many LoRA does with the book's head."""

import pytest

from paddle_impl import lora
from paddle_impl.config.classifier import ClassifierConfig
from paddle_impl.config.lora import LoraOptions
from paddle_impl.config.model import ModelConfig
from paddle_impl.finetuning.freezing import freeze
from paddle_impl.heads import GPTForSequenceClassification, initialize_head

LAYERS, WIDTH, LABELS = 3, 8, 2
SHAPE = ModelConfig(n_layer=LAYERS, n_embd=WIDTH, n_head=2, vocab_size=30, n_positions=12)


def classifier(**more) -> GPTForSequenceClassification:
    return GPTForSequenceClassification(ClassifierConfig.of(SHAPE, labels=("a", "b"), **more))


def trained(model) -> set[str]:
    return {name for name, value in model.named_parameters() if not value.stop_gradient}


@pytest.mark.parametrize(("policy", "begin"), [
    ("last_layer", ()), ("last_block", ("transformer.h.2.", "transformer.ln_f.")),
    ("last_two_blocks", ("transformer.h.1.", "transformer.h.2.", "transformer.ln_f.")),
    ("all", ("transformer.",)),
])
def test_a_policy_trains_the_head_and_these(policy, begin):
    for bias in (False, True):
        model = classifier(score_bias=bias)
        freeze(model, policy)
        every = {name for name, _ in model.named_parameters()}
        head = {"out_head.weight", "out_head.bias"} if bias else {"score.weight"}
        assert trained(model) == head | {name for name in every if name.startswith(begin)}


def test_a_model_of_one_block_trains_that():
    model = GPTForSequenceClassification(ClassifierConfig.of(
        SHAPE.with_(n_layer=1), labels=("a", "b")))
    freeze(model, "last_two_blocks")
    assert not any(name.startswith(("transformer.wte", "transformer.wpe"))
                   for name in trained(model))
    assert "transformer.h.0.ln_1.weight" in trained(model)


def counted(model) -> int:
    zeros = sum(layer.lora_A.weight.size + layer.lora_B.weight.size - layer.trained()
                for _, layer in lora.adapters(model))
    return sum(value.size for value in model.parameters() if not value.stop_gradient) - zeros


def test_lora_of_every_linear_layer_has_the_books_number_of_parameters():
    """q, k and v apart, the head too: 2,666,528 for GPT-2 small, rank 16 and two labels."""
    def expected(layers: int, width: int, rank: int) -> int:
        block = 4 * 2 * width + 2 * 5 * width  # q, k, v, c_proj; then c_fc and c_proj of the MLP
        return rank * (layers * block + width + LABELS)

    assert expected(12, 768, 16) == 2_666_528
    options = LoraOptions(lora_dim=4, lora_alpha=4, lora_scaling="alpha", lora_enable="q,k,v",
                          lora_target_modules=["all-linear"])
    model = classifier(score_bias=True)
    names = lora.apply_lora(model, options)
    assert "out_head" in names and counted(model) == expected(LAYERS, WIDTH, 4)
    assert all(layer.scaling == 4.0 for _, layer in lora.adapters(model))
    initialize_head(model, 0)  # is the base of an adapter, which is not saved: it stays zero
    assert not model.out_head.base_layer.weight.any()
    assert isinstance(lora.merged(model).out_head, type(classifier(score_bias=True).out_head))


@pytest.mark.parametrize(("bias", "targets", "head"), [
    (False, ["all-linear"], {"score.weight"}), (False, ["c_attn"], {"score.weight"}),
    (True, ["c_attn"], {"out_head.weight", "out_head.bias"})])
def test_else_lora_trains_the_head_whole(bias, targets, head):
    model = classifier(score_bias=bias)
    lora.apply_lora(model, LoraOptions(lora_dim=2, lora_target_modules=targets))
    assert {name for name in trained(model) if "lora_" not in name} == head
    initialize_head(model, 0)
    assert abs(float(getattr(model, model.head_name).weight.std()) - 0.02) < 0.01
