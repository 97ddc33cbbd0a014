"""Generation is the same with a cache and in a batch, depends on the draws, and stops at the end.
"""

from functools import partial

import numpy as np
import paddle
import pytest

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.choice import make_decoder
from paddle_impl.decoding.sampling import log_softmax
from paddle_impl.decoding.sequences import uniform_draws
from paddle_impl.generate import generate

PROMPT = [3, 1, 4]
PROMPTS = [PROMPT, [7], list(range(20)), [9, 9, 9, 2, 6], [49] * 12]


@pytest.fixture(params=["paddle", "native"], autouse=True)
def decoder(request, monkeypatch):
    def make(model, rows, positions, _):
        return make_decoder(model, rows, positions, request.param)

    monkeypatch.setattr("paddle_impl.decoding.choice.make_decoder", make)
    return request.param


def recomputed_logits(model, tokens):
    with paddle.no_grad():
        return model(paddle.to_tensor([tokens]))[:, -1].numpy()


def one(model, prompt=PROMPT, tokens=12, draws=None, **options):
    ((found,),) = generate(model, [prompt], Decoding(tokens, **options), draws=draws)
    return found


@pytest.fixture
def sharp_model(tiny_model):
    """Logits far enough apart that rounding cannot swap the two largest."""
    for p in tiny_model.parameters():
        if p.ndim == 2:
            p.set_value(p * 20.0)
    return tiny_model


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy_equals_full_recomputation(sharp_model, prompt):
    found = one(sharp_model, prompt)
    tokens, score = list(prompt), 0.0
    new = min(12, 24 - len(prompt))
    for _ in range(new):
        logits = recomputed_logits(sharp_model, tokens)
        tokens.append(int(logits.argmax()))
        score += log_softmax(logits)[0, tokens[-1]]
    assert found.token_ids == tokens[len(prompt):]
    assert found.finish_reason == "length"
    assert found.score == pytest.approx(score / new, abs=1e-4)


@pytest.mark.parametrize("rows", [1, 2, 4, 16])
@pytest.mark.parametrize("options", [
    {}, {"eos_token_ids": (5, 11), "min_new_tokens": 2}, {"repetition_penalty": 1.5},
    {"strategy": "beam_search", "num_beams": 3, "num_return_sequences": 2, "eos_token_ids": (5,)},
    {"no_repeat_ngram_size": 2}, {"strategy": "sampling", "temperature": 3.0, "top_k": 20},
    {"strategy": "sampling", "num_return_sequences": 3, "top_p": 0.9, "eos_token_ids": (5,)},
])
def test_a_batch_gives_what_each_prompt_gives_alone(sharp_model, rows, options, decoder):
    decoding = Decoding(12, **options)
    together = generate(sharp_model, PROMPTS, decoding, draws=partial(uniform_draws, 8), rows=rows)
    for number, prompt in enumerate(PROMPTS):
        (alone,) = generate(sharp_model, [prompt], decoding,
                            draws=lambda _, number=number: uniform_draws(8, number))
        assert [own.token_ids for own in together[number]] == [own.token_ids for own in alone]
        for both in zip(together[number], alone, strict=True):
            assert both[0].finish_reason == both[1].finish_reason
            # The native step has the same bits whatever its neighbours are.
            error = 0 if decoder == "native" else 1e-4
            assert both[0].score == pytest.approx(both[1].score, abs=error, rel=0)


def test_no_prompts_no_texts(sharp_model):
    assert generate(sharp_model, [], Decoding(3)) == []


def test_the_end_token_ends_and_is_not_returned(sharp_model):
    free = one(sharp_model)
    eos = free.token_ids[5]
    found = one(sharp_model, eos_token_ids=(49, eos))
    assert found.token_ids == free.token_ids[: free.token_ids.index(eos)]
    assert found.finish_reason == "eos"


def test_the_end_token_waits_for_the_minimum(sharp_model):
    eos = one(sharp_model).token_ids[0]
    found = one(sharp_model, eos_token_ids=(eos,), min_new_tokens=4)
    assert len(found.token_ids) >= 4
    assert eos not in found.token_ids[:4]


def test_no_ngram_comes_twice(sharp_model):
    found = one(sharp_model, [1, 2], tokens=22, no_repeat_ngram_size=2)
    tokens = [1, 2, *found.token_ids]
    pairs = list(zip(tokens, tokens[1:], strict=False))
    assert len(set(pairs)) == len(pairs)


def test_each_sequence_is_what_its_draws_make_alone(sharp_model):
    table = np.random.default_rng(5).random((10, 4))
    options = {"strategy": "sampling", "temperature": 3.0, "top_k": 20, "eos_token_ids": (7,)}
    (together,) = generate(sharp_model, [PROMPT], Decoding(10, num_return_sequences=4, **options),
                           draws=lambda _: lambda step, n: table[step])
    for i, found in enumerate(together):
        alone = one(sharp_model, tokens=10, **options,
                    draws=lambda _, i=i: lambda step, n: table[step, i : i + 1])
        assert alone.token_ids == found.token_ids
        assert alone.score == pytest.approx(found.score, abs=1e-5)
    assert len({tuple(found.token_ids) for found in together}) > 1


def test_the_seed_repeats_and_prompts_are_independent(sharp_model):
    def run(seed):
        decoding = Decoding(8, "sampling", temperature=3.0)
        found = generate(sharp_model, [PROMPT] * 2, decoding, draws=partial(uniform_draws, seed))
        return [tuple(own.token_ids) for (own,) in found]

    assert run(0) == run(0)
    assert len({*run(0), *run(1)}) == 4


def test_padding_of_the_vocabulary_is_never_chosen(sharp_model):
    decoding = Decoding(20, "sampling", num_return_sequences=8, temperature=50.0, vocab_size=10)
    (found,) = generate(sharp_model, [PROMPT], decoding, draws=partial(uniform_draws, 1))
    chosen = [token for sequence in found for token in sequence.token_ids]
    assert set(chosen) <= set(range(10)) and len(set(chosen)) > 5


def test_generation_stops_where_the_positions_end(sharp_model):
    assert len(one(sharp_model, list(range(20)), tokens=100).token_ids) == 4


def test_tokens_are_told_as_they_come(sharp_model):
    told = []
    found = generate(sharp_model, PROMPTS, Decoding(12), on_token=lambda prompt, number, sequence:
                     told.append((prompt, number, sequence.tokens[-1])))
    for number, (own,) in enumerate(found):
        assert [token for prompt, _, token in told if prompt == number] == own.token_ids


def test_a_stop_string_ends_the_text_and_is_not_in_it(sharp_model):
    def decode_bytes(ids):
        return bytes(48 + i for i in ids)

    free = one(sharp_model)
    text = decode_bytes(free.token_ids).decode()
    ((found,),) = generate(sharp_model, [PROMPT], Decoding(12, stop=("never", text[6:8])),
                           decode_bytes=decode_bytes)
    at = text.index(text[6:8])
    assert (found.text, found.finish_reason) == (text[:at], "stop")
    assert found.token_ids == free.token_ids[: at + 2]


@pytest.mark.parametrize(("after", "end"), [(0, 3), (2, 3), (3, 6), (6, 9), (9, 12)])
def test_stop_strings_count_after_so_many_tokens(sharp_model, after, end):
    """As in vLLM: one that is complete with the last of these tokens remains."""
    said = iter(b"ab!" * 4)  # whatever the tokens are
    ((found,),) = generate(sharp_model, [PROMPT], Decoding(12, stop=("!",), stop_after=after),
                           decode_bytes=lambda ids: bytes([next(said)]))
    assert (found.text, found.finish_reason) == (("ab!" * 4)[: end - 1], "stop")
    assert len(found.token_ids) == end


def test_a_decoder_says_what_its_prompts_may_be(tiny_model):
    decoder = make_decoder(tiny_model, 2, 8)
    ((found,),) = generate(decoder, [[3, 1, 4]], Decoding(12))
    assert len(found.token_ids) == 5
    for prompt, message in (([1] * 8, "8 tokens; the model has 8 positions"),
                            ([50], "outside the vocabulary 0 to 49")):
        with pytest.raises(ValueError, match=message):
            generate(decoder, [prompt], Decoding(1))
    with pytest.raises(ValueError, match="3 sequences of one prompt do not fit into a batch of 2"):
        generate(decoder, [[1]], Decoding(1, "beam_search", num_beams=3))
    assert generate(decoder, [], Decoding(1)) == []


@pytest.mark.parametrize("options", [{"rows": 2}, {"decoder": "paddle"}])
def test_what_makes_a_decoder_is_refused_beside_one(tiny_model, options):
    with pytest.raises(ValueError, match="a decoder was given"):
        generate(make_decoder(tiny_model, 2, 8), [[1]], Decoding(1), **options)


def test_a_prompt_is_refused_before_a_decoder_is_made(tiny_model, monkeypatch):
    monkeypatch.setattr("paddle_impl.decoding.choice.make_decoder",
                        lambda *_: pytest.fail("a decoder was made"))
    with pytest.raises(ValueError, match="no tokens"):
        generate(tiny_model, [[1], []], Decoding(1))


@pytest.mark.parametrize(("prompt", "message"), [
    ([], "no tokens"), ([1, 50], "outside the vocabulary 0 to 49"), ([-1], "outside"),
    ([1] * 24, "24 tokens; the model has 24 positions"),
])
def test_impossible_prompts_are_refused(tiny_model, prompt, message):
    with pytest.raises(ValueError, match=message):
        generate(tiny_model, [PROMPT, prompt], Decoding(1))


@pytest.mark.parametrize("token", [-1, 50])
def test_an_end_token_that_can_never_come_is_refused(tiny_model, token):
    with pytest.raises(ValueError, match=f"end token {token} is outside the vocabulary 0 to 49"):
        generate(tiny_model, [PROMPT], Decoding(1, eos_token_ids=(3, token)))


@pytest.mark.parametrize(("options", "message"), [
    ({"strategy": "sampling"}, "needs draws"), ({"stop": ("a",)}, "stop strings need a tokenizer"),
])
def test_settings_without_their_means_are_refused(tiny_model, options, message):
    with pytest.raises(ValueError, match=message):
        generate(tiny_model, [PROMPT], Decoding(1, **options))
