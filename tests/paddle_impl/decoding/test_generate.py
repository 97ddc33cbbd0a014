"""Generation: the cache changes nothing, the end token ends, draws alone decide."""

import numpy as np
import paddle
import pytest

from paddle_impl.generate import generate, uniform_draws
from paddle_impl.decoding.sampling import log_softmax

PROMPT = [3, 1, 4]


def recomputed_logits(model, tokens):
    with paddle.no_grad():
        return model(paddle.to_tensor([tokens]))[:, -1].numpy()


@pytest.fixture
def sharp_model(tiny_model):
    """Logits far enough apart that rounding cannot swap the two largest."""
    for p in tiny_model.parameters():
        if p.ndim == 2:
            p.set_value(p * 20.0)
    return tiny_model


def test_greedy_equals_full_recomputation(sharp_model):
    (found,) = generate(sharp_model, PROMPT, max_new_tokens=12)
    tokens, score = list(PROMPT), 0.0
    for _ in range(12):
        logits = recomputed_logits(sharp_model, tokens)
        tokens.append(int(logits.argmax()))
        score += log_softmax(logits)[0, tokens[-1]]
    assert found.token_ids == tokens[3:]
    assert found.finish_reason == "length"
    assert found.score == pytest.approx(score / 12, abs=1e-4)


def test_the_end_token_ends_and_is_not_returned(sharp_model):
    (free,) = generate(sharp_model, PROMPT, max_new_tokens=12)
    eos = free.token_ids[5]
    first = free.token_ids.index(eos)
    (found,) = generate(sharp_model, PROMPT, max_new_tokens=12, eos_token_id=eos)
    assert found.token_ids == free.token_ids[:first]
    assert found.finish_reason == "eos"


def test_the_end_token_waits_for_the_minimum(sharp_model):
    (free,) = generate(sharp_model, PROMPT, max_new_tokens=12)
    eos = free.token_ids[0]
    (found,) = generate(sharp_model, PROMPT, max_new_tokens=12, min_new_tokens=4, eos_token_id=eos)
    assert len(found.token_ids) >= 4
    assert eos not in found.token_ids


def test_each_sequence_is_what_its_draws_make_alone(sharp_model):
    table = np.random.default_rng(5).random((10, 4))
    options = {"max_new_tokens": 10, "temperature": 3.0, "top_k": 20, "eos_token_id": 7}
    together = generate(
        sharp_model, PROMPT, sequences=4, draws=lambda step, n: table[step], **options
    )
    for i, found in enumerate(together):
        (alone,) = generate(
            sharp_model, PROMPT, draws=lambda step, n, i=i: table[step, i : i + 1], **options
        )
        assert alone.token_ids == found.token_ids
        assert alone.score == pytest.approx(found.score, abs=1e-5)
    assert len({tuple(found.token_ids) for found in together}) > 1


def test_the_seed_repeats_and_prompts_are_independent(sharp_model):
    def run(seed, index):
        return generate(sharp_model, PROMPT, max_new_tokens=8, temperature=3.0,
                        draws=uniform_draws(seed, index))[0].token_ids

    assert run(0, 0) == run(0, 0)
    assert len({tuple(run(seed, index)) for seed in (0, 1) for index in (0, 1)}) == 4


def test_padding_of_the_vocabulary_is_never_chosen(sharp_model):
    draws = uniform_draws(1, 0)
    found = generate(sharp_model, PROMPT, max_new_tokens=20, sequences=8, draws=draws,
                     temperature=50.0, vocab_size=10)
    chosen = [token for sequence in found for token in sequence.token_ids]
    assert set(chosen) <= set(range(10)) and len(set(chosen)) > 5


def test_generation_stops_where_the_positions_end(sharp_model):
    (found,) = generate(sharp_model, list(range(20)), max_new_tokens=100)
    assert len(found.token_ids) == 4


@pytest.mark.parametrize(("prompt", "message"), [
    ([], "no tokens"), ([1, 50], "outside the vocabulary 0 to 49"), ([-1], "outside"),
    ([1] * 24, "24 tokens; the model has 24 positions"),
])
def test_impossible_prompts_are_refused(tiny_model, prompt, message):
    with pytest.raises(ValueError, match=message):
        generate(tiny_model, prompt, max_new_tokens=1)
