"""An exported model computes what the model in memory computes."""

from dataclasses import replace

import numpy as np
import paddle
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.sequences import uniform_draws
from paddle_impl.export import export_model, files
from paddle_impl.export.decoder import ExportedDecoder
from paddle_impl.export.running import continue_prompts
from paddle_impl.generate import generate
from paddle_impl.layers.linear import ColumnLinear
from paddle_impl.model import Attention
from tests.paddle_impl.export.conftest import EOS, POSITIONS, new_model
from tests.paddle_impl.low_rank import LowRank, substitute

# One token, several, all positions but one.
PROMPTS = [[7], [1, 2, 3], [104, 101, 108, 108, 111], list(range(30, 30 + POSITIONS - 1))]


def draws(number: int):
    return uniform_draws(5, number)


def test_greedy_tokens_are_the_models_up_to_the_last_position(exported):
    model, out = exported
    export = files.read(out)
    decoding = Decoding(100, eos_token_ids=(EOS,), vocab_size=export.vocab_size)
    own = generate(model, PROMPTS, decoding, decoder="paddle")
    assert [len(found[0].token_ids) for found in own] == [POSITIONS - len(p) for p in PROMPTS]
    assert len({token for found in own for token in found[0].token_ids}) > 10
    ours = continue_prompts(out, export, PROMPTS, decoding, draws)
    assert [[c.token_ids for c in found] for found in ours] == \
        [[c.token_ids for c in found] for found in own]
    for found, expected in zip(ours, own, strict=True):
        assert found[0].score == pytest.approx(expected[0].score, abs=1e-5)


def test_sampled_tokens_are_the_models(exported):
    model, out = exported
    decoding = Decoding(12, strategy="sampling", num_return_sequences=3, top_k=20, top_p=0.9,
                        repetition_penalty=1.3, eos_token_ids=(EOS,), vocab_size=257)

    own = generate(model, PROMPTS, decoding, draws=draws, decoder="paddle")
    ours = continue_prompts(out, files.read(out), PROMPTS, decoding, draws)
    ids = [[c.token_ids for c in found] for found in ours]
    assert ids == [[c.token_ids for c in found] for found in own]
    assert ids[0][0] != ids[0][1]


def test_beams_are_the_models(exported):
    model, out = exported
    decoding = Decoding(8, strategy="beam_search", num_beams=3, num_return_sequences=2,
                        eos_token_ids=(EOS,), vocab_size=257)
    own = generate(model, PROMPTS, decoding, decoder="paddle")
    ours = continue_prompts(out, files.read(out), PROMPTS, decoding, draws)
    assert [[c.token_ids for c in found] for found in ours] == \
        [[c.token_ids for c in found] for found in own]


def test_logits_are_the_models_after_each_copy(exported):
    """Rows of different lengths in one step, one of them copied from another."""
    model, out = exported
    decoder = ExportedDecoder(out, files.read(out), rows=3, positions=POSITIONS)
    decoder.prefill(0, [5, 6])
    decoder.prefill(2, [9])
    decoder.copy(0, 1)
    decoder.step([1], [8])
    logits = decoder.step([2, 0, 1], [1, 2, 3])
    for row, ids in enumerate([[9, 1], [5, 6, 2], [5, 6, 8, 3]]):
        expected = model(paddle.to_tensor([ids]))[0, -1].numpy()
        assert np.abs(logits[row] - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["c_attn", "c_proj"])
def test_an_adapter_that_was_not_merged_is_exported_too(tmp_path, name):
    model, out = new_model(), tmp_path / "out"
    ids = [5, 6, 8, 3]
    plain = model(paddle.to_tensor([ids]))[0, -1].numpy()
    substitute(model.transformer.h[1].attn, name, LowRank)
    substitute(model.transformer.h[0].mlp, "c_fc", LowRank)
    export_model(model, Tokenizer.byte_level(), out)
    expected = model(paddle.to_tensor([ids]))[0, -1].numpy()
    assert np.abs(expected - plain).max() > 0.1
    decoder = ExportedDecoder(out, files.read(out), rows=1, positions=POSITIONS)
    decoder.prefill(0, ids[:-1])
    assert np.abs(decoder.step([0], [3])[0] - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_subclass_may_call_its_base(tmp_path):
    """Paddle's rewriting of Python code would call the wrong class for super()."""
    class Doubled(ColumnLinear):
        def forward(self, x):
            return super().forward(2.0 * x)

    model, out = new_model(), tmp_path / "out"
    model.transformer.h[0].attn.c_attn.__class__ = Doubled
    export_model(model, Tokenizer.byte_level(), out)
    expected = model(paddle.to_tensor([[5, 6]]))[0, -1].numpy()
    found = ExportedDecoder(out, files.read(out), rows=1, positions=POSITIONS).prefill(0, [5, 6])
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_a_layer_that_the_graph_would_leave_out_is_refused(tmp_path):
    class Other(Attention):
        pass

    model = new_model()
    model.transformer.h[1].attn.__class__ = Other
    with pytest.raises(ValueError, match=r"cannot be exported: transformer\.h\.1\.attn is of the "
                                         "class Other, and only these layers may be replaced: wte"):
        export_model(model, Tokenizer.byte_level(), tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_prompt_is_refused_before_the_graph_is_loaded(exported, monkeypatch):
    monkeypatch.setattr("paddle_impl.export.running.ExportedDecoder",
                        lambda *_: pytest.fail("the graph was loaded"))
    with pytest.raises(ValueError, match="outside the vocabulary 0 to 256"):
        continue_prompts(exported[1], files.read(exported[1]), [[1], [257]], Decoding(3), draws)


def test_no_token_goes_beyond_the_positions(exported):
    decoder = ExportedDecoder(exported[1], files.read(exported[1]), rows=1, positions=3)
    with pytest.raises(ValueError, match="4 tokens exceed the 3 positions"):
        decoder.prefill(0, [1, 2, 3, 4])
    decoder.prefill(0, [1, 2, 3])
    with pytest.raises(ValueError, match="4 tokens exceed the 3 positions"):
        decoder.step([0], [4])


def test_an_older_paddle_says_that_it_cannot_read(exported, monkeypatch):
    export = replace(files.read(exported[1]), program="model.json", paddle="3.3.1")
    monkeypatch.setattr(paddle, "__version__", "2.6.2")
    with pytest.raises(ValueError, match=r"by Paddle 3\.3\.1, which Paddle 2\.6\.2 cannot read"):
        ExportedDecoder(exported[1], export, rows=1, positions=POSITIONS)
