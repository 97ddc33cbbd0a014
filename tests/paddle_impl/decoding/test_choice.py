"""A decoder that has copied the weights is reused by later calls, but never by two at a time."""

import pytest

from paddle_impl.config.decoding import Decoding
from paddle_impl.decoding import choice
from paddle_impl.decoding.choice import ReusedDecoder, make_decoder
from paddle_impl.decoding.native_decoder import NativeDecoder
from paddle_impl.decoding.paddle_decoder import PaddleDecoder
from paddle_impl.generate import generate


@pytest.fixture
def made(monkeypatch) -> list[tuple[int, int]]:
    """Records the rows and positions of each decoder that is made."""
    sizes = []

    def make(model, rows, positions, kind):
        sizes.append((rows, positions))
        return make_decoder(model, rows, positions, kind)

    monkeypatch.setattr(choice, "make_decoder", make)
    return sizes


def test_an_unknown_decoder_is_refused(tiny_model):
    with pytest.raises(ValueError, match="decoder must be one of .*, got 'fast'"):
        make_decoder(tiny_model, 1, 8, "fast")


def test_a_native_decoder_is_lent_again(tiny_model, made):
    decoders = ReusedDecoder(tiny_model, "native")
    with decoders.lent(2, 9) as first:
        assert isinstance(first, NativeDecoder)
    for size in ((2, 9), (1, 5)):
        with decoders.lent(*size) as again:
            assert again is first
    assert made == [(2, 9)]


def test_more_rows_or_positions_take_a_new_one(tiny_model, made):
    decoders = ReusedDecoder(tiny_model, "native")
    for size in ((2, 5), (3, 4), (1, 6), (3, 12), (1, 1000), (3, 24)):
        with decoders.lent(*size) as decoder:
            assert decoder.rows >= size[0] and decoder.positions >= min(size[1], 24)
    # Fewer positions than there were are not asked for, and twice what is needed where more are.
    assert made == [(2, 5), (3, 5), (3, 12), (3, 48)]


def test_two_borrowers_have_two_decoders(tiny_model):
    decoders = ReusedDecoder(tiny_model, "native")
    with decoders.lent(1, 8) as one, decoders.lent(1, 8) as other:
        assert one is not other


def test_after_an_error_the_decoder_is_not_used_again(tiny_model):
    decoders = ReusedDecoder(tiny_model, "native")
    with pytest.raises(KeyboardInterrupt), decoders.lent(1, 8) as first:
        raise KeyboardInterrupt
    with decoders.lent(1, 8) as second:
        assert second is not first


def test_a_plain_decoder_is_made_for_each_borrower(tiny_model):
    decoders = ReusedDecoder(tiny_model, "paddle")
    with decoders.lent(1, 8) as first:
        assert isinstance(first, PaddleDecoder)
    with decoders.lent(1, 8) as second:
        assert second is not first


@pytest.mark.parametrize("kind", ["paddle", "native"])
def test_a_decoder_serves_one_call_after_the_other(tiny_model, kind):
    """Whatever was fed before, a text is what a new decoder gives."""
    decoder = make_decoder(tiny_model, 4, 24, kind)
    for prompts, options in (
        ([[3, 1, 4], [7]], {}), ([list(range(20))], {}), ([[2]], {}),
        ([[5, 6]], {"strategy": "beam_search", "num_beams": 3, "num_return_sequences": 2}),
        ([[3, 1, 4], [7]], {}),
    ):
        decoding = Decoding(10, **options)
        fresh = generate(tiny_model, prompts, decoding, decoder=kind)
        for own, expected in zip(generate(decoder, prompts, decoding), fresh, strict=True):
            assert [one.token_ids for one in own] == [one.token_ids for one in expected]
            for one, other in zip(own, expected, strict=True):
                assert one.score == pytest.approx(
                    other.score, abs=0 if kind == "native" else 1e-5, rel=0)
