"""Beam search over a Markov chain, whose continuations can all be listed."""

from itertools import product

import numpy as np
import pytest

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding.beam import BeamState
from paddle_impl.generate import generate

VOCABULARY, END, STEPS = 4, 3, 3
# Logits of the next token after each token; no two continuations are equally likely.
CHAIN = np.random.default_rng(7).normal(0.0, 1.5, (VOCABULARY, VOCABULARY))
LOG_P = CHAIN - np.log(np.exp(CHAIN).sum(axis=-1, keepdims=True))
PROMPT = [1]
# One beam for every continuation: nothing can be missed.
ALL = VOCABULARY**STEPS

SCORES = {
    "hf": lambda total, length, ended, p: total / length**p,
    "paddlenlp": lambda total, length, ended, p: total / ((length - ended + 5) / 6) ** p,
    "lora": lambda total, length, ended, p: total / length**p,
}


def beams(**options) -> Decoding:
    options = {"max_new_tokens": STEPS, "num_beams": 3, "eos_token_ids": (END,)} | options
    return Decoding(**options, strategy="beam_search")


def search(decoding: Decoding, chain=CHAIN, prompt=PROMPT, **more):
    """The state's results, and how many tokens it was fed."""
    state = BeamState(prompt, decoding, **more)
    tokens, steps = [prompt[-1]], 0
    while tokens:
        move = state.advance(chain[tokens])
        assert len(move.tokens) == len(move.sources) <= state.width
        assert all(0 <= source < len(tokens) for source in move.sources)
        tokens, steps = move.tokens, steps + 1
    return state.results(), steps


def listed(score, penalty: float) -> list[tuple[float, list[int], bool]]:
    """Every continuation with its score, best first; a continuation stops at its end token."""
    found = []
    for length in range(1, STEPS + 1):
        for tokens in product(range(VOCABULARY), repeat=length):
            ended = tokens[-1] == END
            if END in tokens[:-1] or not (ended or length == STEPS):
                continue
            total = sum(LOG_P[pair] for pair in zip((*PROMPT, *tokens), tokens, strict=False))
            found.append((score(total, length, ended, penalty), list(tokens), ended))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("penalty", [-1.0, 0.0, 0.6, 2.0])
@pytest.mark.parametrize("convention", SCORES)
def test_beams_enough_find_the_best_of_all(convention, penalty):
    early = "never" if convention == "hf" else False
    found, _ = search(beams(num_beams=ALL, num_return_sequences=5, beam_score=convention,
                            length_penalty=penalty, early_stopping=early))
    for one, (score, tokens, ended) in zip(found, listed(SCORES[convention], penalty)[:5],
                                           strict=True):
        assert one.score == pytest.approx(score, rel=1e-12)
        assert one.token_ids == (tokens[:-1] if ended else tokens)
        assert one.finish_reason == ("eos" if ended else "length")
        assert one.text is None


@pytest.mark.parametrize("score", SCORES)
def test_a_narrow_search_follows_the_best_beams_of_the_vocabulary(score):
    """By hand: after two steps with two beams. What pads the vocabulary has no probability."""
    log_p = CHAIN[:, :END] - np.log(np.exp(CHAIN[:, :END]).sum(axis=-1, keepdims=True))
    starts = np.argsort(-log_p[PROMPT[0]])[:2]
    totals = {(int(a), b): log_p[PROMPT[0], a] + log_p[a, b] for a in starts for b in range(END)}
    found, _ = search(beams(num_beams=2, max_new_tokens=2, eos_token_ids=(), vocab_size=END,
                            beam_score=score))
    best = max(totals, key=totals.get)
    assert found[0].token_ids == list(best)
    assert found[0].score == pytest.approx(SCORES[score](totals[best], 2, False, 1.0), rel=1e-12)


def test_one_beam_is_the_greedy_search():
    found, _ = search(beams(num_beams=1, max_new_tokens=5, repetition_penalty=3.0,
                            eos_token_ids=()))
    tokens, seen = [], set(PROMPT)
    for _ in range(5):
        logits = CHAIN[(PROMPT + tokens)[-1]]
        penalised = [logit * (3.0 if logit < 0 else 1 / 3) if token in seen else logit
                     for token, logit in enumerate(logits)]
        tokens.append(int(np.argmax(penalised)))
        seen.add(tokens[-1])
    assert found[0].token_ids == tokens


# After token 0 the end token, 2, is a little less likely than 1; after 1 comes 0 for certain.
TWO_ROADS = np.log([[0.1, 0.5, 0.4], [0.998, 0.001, 0.001], [1 / 3, 1 / 3, 1 / 3]])


@pytest.mark.parametrize(("going_on", "ends"), [
    (0.5, {True: 2, False: 6, "never": 6}),  # as good a token as any, at every length
    # Worse than what is finished: log 0.2 against log 0.32, or n/6 of it at a length of 6.
    (0.2, {True: 1, False: 1, "never": 5}),
])
def test_when_a_search_ends(going_on, ends):
    """Token 0 goes on with this probability, 1 and 2 end: two beams are soon finished."""
    chain = np.log([[going_on, 0.6 * (1 - going_on), 0.4 * (1 - going_on)]] * 3)
    for early, steps in ends.items():
        decoding = beams(num_beams=2, eos_token_ids=(1, 2), max_new_tokens=6, early_stopping=early)
        assert search(decoding, chain, [0])[1] == steps


@pytest.mark.parametrize("penalty", [-1.0, -0.1, 0.0])
def test_where_short_beams_win_never_expects_nothing_of_long_ones(penalty):
    ends = {}
    for early in (False, "never"):
        options = {"num_beams": 4, "eos_token_ids": (2, 3), "max_new_tokens": 12,
                   "length_penalty": penalty, "early_stopping": early}
        ends[early] = [search(beams(**options), CHAIN * spread)[1] for spread in (0.3, 0.6, 1.0)]
    assert ends[False] == ends["never"]
    assert max(ends[False]) > 2


def test_early_stopping_takes_what_ends_first():
    options = {"num_beams": 2, "eos_token_ids": (2,), "max_new_tokens": 8, "length_penalty": 2.0}
    early, soon = search(beams(**options, early_stopping=True), TWO_ROADS, [0])
    patient, late = search(beams(**options, early_stopping="never"), TWO_ROADS, [0])
    assert soon < late == 8
    assert patient[0].score > early[0].score


def test_lora_runs_to_the_end_and_its_penalties_do_not_see_the_prompt():
    """PaddleNLP's and transformers' do: of the pair (0, 1), which the prompt holds, 1 is banned."""
    options = {"num_beams": 2, "eos_token_ids": (2,), "no_repeat_ngram_size": 2}
    first = {}
    for convention in SCORES:
        decoding = beams(**options, max_new_tokens=1, beam_score=convention)
        first[convention] = search(decoding, TWO_ROADS, [0, 1, 0])[0][0].token_ids
    assert first == {"hf": [], "paddlenlp": [], "lora": [1]}
    assert search(beams(**options | {"no_repeat_ngram_size": 0}, max_new_tokens=9,
                        beam_score="lora"), TWO_ROADS, [0])[1] == 9


@pytest.mark.parametrize("convention", SCORES)
def test_a_vocabulary_smaller_than_the_beams(convention):
    found, _ = search(beams(num_beams=9, num_return_sequences=9, max_new_tokens=4,
                            beam_score=convention))
    assert len({tuple(one.token_ids) for one in found}) == 9
    assert all(np.isfinite(one.score) and one.score > -100 for one in found)
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


@pytest.mark.parametrize("beams_wide", [1, 3])
@pytest.mark.parametrize("convention", SCORES)
def test_what_is_impossible_is_empty_and_no_nan(convention, beams_wide):
    """No token may come twice: there are four, and then nothing may follow."""
    options = {"num_beams": beams_wide, "num_return_sequences": beams_wide, "eos_token_ids": (),
               "beam_score": convention, "no_repeat_ngram_size": 1, "max_new_tokens": 6}
    for prompt in ([1], [0, 1, 2, 3]):
        with np.errstate(invalid="raise"):
            found, steps = search(beams(**options), prompt=prompt)
        assert steps <= 5
        assert [(one.token_ids, one.score) for one in found] == [([], -1e9)] * beams_wide


def test_fewer_beams_than_asked_for_are_followed_by_empty_ones():
    """Three tokens banned, one left: the others never existed."""
    found, _ = search(beams(beam_score="lora", num_return_sequences=3, max_new_tokens=1,
                            eos_token_ids=(), vocab_size=1))
    assert [one.token_ids for one in found] == [[0], [], []]
    assert [one.score for one in found[1:]] == [-1e9, -1e9]


def test_the_end_waits_for_the_minimum_and_several_tokens_end():
    found, _ = search(beams(num_beams=4, num_return_sequences=4, eos_token_ids=(2, 3),
                            min_new_tokens=2, early_stopping="never"))
    assert {one.finish_reason for one in found} == {"eos", "length"}
    for one in found:
        assert len(one.token_ids) >= 2
        assert not {2, 3} & set(one.token_ids[:2])


def test_texts_are_those_of_the_tokens():
    found, _ = search(beams(eos_token_ids=()),
                      decode_bytes=lambda ids: b"".join(b"<%d>" % token for token in ids))
    assert found[0].text == "".join(f"<{token}>" for token in found[0].token_ids) != ""


@pytest.mark.parametrize(("convention", "early"), [("paddlenlp", "never"), ("lora", True)])
def test_an_early_stopping_that_there_is_not_is_refused(convention, early):
    with pytest.raises(ValueError, match=convention):
        BeamState(PROMPT, beams(beam_score=convention, early_stopping=early))


def test_a_search_beside_others_gives_what_it_gives_alone(tiny_model):
    prompts = [[5, 9], [7], [11, 3, 25, 8, 1]]
    decoding = beams(num_beams=4, num_return_sequences=4, max_new_tokens=6, eos_token_ids=(17, 40))
    together = generate(tiny_model, prompts, decoding, rows=8)
    for prompt, found in zip(prompts, together, strict=True):
        alone = generate(tiny_model, [prompt], decoding)[0]
        assert [one.token_ids for one in found] == [one.token_ids for one in alone]
        assert [one.score for one in found] == pytest.approx([one.score for one in alone], abs=1e-5)
