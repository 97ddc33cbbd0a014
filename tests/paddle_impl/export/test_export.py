"""An exported model says what the model in memory says."""

from dataclasses import replace

import numpy as np
import paddle
import pytest

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.sequences import uniform_draws
from paddle_impl.export import files
from paddle_impl.export.decoder import ExportedDecoder
from paddle_impl.export.running import continue_prompts
from paddle_impl.generate import generate
from tests.paddle_impl.export.conftest import EOS, POSITIONS

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
