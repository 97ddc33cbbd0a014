"""Last words: right when all their tokens are the greedy choice, from the last context."""

import math

import numpy as np
import paddle
import pytest

from paddle_impl.evaluation.lambada import Passage, last_words, passage


def ids(text):
    """A letter is a token, and a space before a word belongs to its first letter: + 100."""
    out = []
    for place, letter in enumerate(text):
        if letter != " ":
            out.append(ord(letter) + (100 if place and text[place - 1] == " " else 0))
    return np.array(out, np.int32)


def test_the_last_word_is_cut_off_with_its_space():
    one = passage(" a bc\t de \n", ids)
    assert one.context.tolist() == ids("a bc").tolist()
    assert one.word.tolist() == ids(" de").tolist() == [200, 101]


def test_a_last_word_that_came_before_is_not_mistaken():
    assert passage("go on, go", ids).context.tolist() == ids("go on,").tolist()


def test_unless_strict_the_last_token_is_cut_off():
    one = passage("a bc de \n", ids, strict=False)
    assert one.context.tolist() == ids("a bc de").tolist()[:-1]
    assert one.word.tolist() == [ord("e")]


@pytest.mark.parametrize(("text", "strict"), [("word", True), ("w", False), ("  ", True)])
def test_no_context_is_refused(text, strict):
    with pytest.raises(ValueError, match="has no context"):
        passage(text, ids, strict=strict)


def passages(*pairs):
    return [Passage(np.array(context), np.array(word)) for context, word in pairs]


def test_accuracy_and_perplexity_by_hand(counting):
    found = last_words(counting, passages(
        ([0, 1], [2, 3]),  # both the likeliest
        ([0, 1], [2, 2]),  # the second is not
        ([3], [4]),
        ([3, 3, 3], [0]),
    ), window=8)
    assert (found.right, found.passages, found.cut) == (2, 4, 0)
    assert found.accuracy == 0.5
    nats = 4 * math.log(9 / 4) + math.log(9 / 2) + math.log(9)
    assert found.nats == pytest.approx(nats, rel=1e-6)
    assert found.perplexity == pytest.approx(math.exp(nats / 4), rel=1e-6)


def test_padding_is_no_word(given):
    model = given([[0.0, 1.0, 2.0, 9.0]] * 4)
    assert last_words(model, passages(([0], [2])), window=8).right == 0
    assert last_words(model, passages(([0], [2])), window=8, vocab_size=3).right == 1


def test_a_long_passage_is_seen_from_its_end(tiny_model):
    rng = np.random.default_rng(8)
    context = rng.integers(0, 50, 60)
    end = last_words(tiny_model, passages((context[-22:], [7, 8, 9])), window=24)
    found = last_words(tiny_model, passages((context, [7, 8, 9])), window=24)
    assert (end.cut, found.cut) == (0, 1)
    assert found.nats == end.nats
    assert found.nats != last_words(tiny_model, passages((context[:22], [7, 8, 9])), window=24).nats


def test_the_greedy_continuation_is_right_and_each_is_as_alone(tiny_model):
    """Against a loop that writes token by token."""
    rng = np.random.default_rng(9)
    many = []
    for length in (3, 7, 3, 12, 7, 3):
        context = rng.integers(0, 50, length).tolist()
        sequence = list(context)
        with paddle.no_grad():
            for _ in range(2):
                logits = tiny_model(paddle.to_tensor([sequence]))[0, -1].numpy()
                sequence.append(int(logits[:45].argmax()))
        word = sequence[length:]
        many += [(context, word), (context, [word[0], (word[1] + 1) % 45])]
    found = last_words(tiny_model, passages(*many), window=24, vocab_size=45)
    assert found.right == len(many) // 2
    alone = [last_words(tiny_model, passages(one), window=24, vocab_size=45) for one in many]
    assert [one.right for one in alone] == [1, 0] * (len(many) // 2)
    assert found.nats == pytest.approx(sum(one.nats for one in alone), rel=1e-6)


def test_a_word_beyond_the_window_is_refused(counting):
    with pytest.raises(ValueError, match="3 tokens, the window holds 2"):
        last_words(counting, passages(([0], [1, 2, 3])), window=2)
