"""Texts from prompts, in their order; a prompt that cannot be continued is refused."""

import pytest

from data_tools.preparing.flags import FIM_TOKENS
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.model import ModelConfig
from paddle_impl.decoding.choice import make_decoder
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.text.generator import TextGenerator

SHAPE = {"n_layer": 1, "n_embd": 16, "n_head": 2, "n_positions": 24, "bos_token_id": 256,
         "eos_token_id": 256}


@pytest.fixture(scope="module")
def generator():
    model = GPTForCausalLM(ModelConfig(vocab_size=260, initializer_range=0.5, **SHAPE))
    initialize(model, 0)
    return TextGenerator(model, Tokenizer.byte_level())


def test_prompts_become_ids(generator):
    assert generator.ids("aé") == list("aé".encode())
    assert generator.ids("") == [256]
    assert generator.ids("<|endoftext|>", special_tokens=True) == [256]


def test_a_prompt_without_room_is_refused(generator):
    with pytest.raises(ValueError, match="prompt of 24 tokens .* the model's 24 positions"):
        generator.ids("a" * 24)


def test_a_tokenizer_of_another_model_is_refused():
    small = GPTForCausalLM(ModelConfig(vocab_size=100, **SHAPE))
    with pytest.raises(ValueError, match="id 195, beyond the model's vocabulary of 100"):
        TextGenerator(small, Tokenizer.byte_level()).ids("é")


def test_what_is_no_text_is_refused(generator):
    with pytest.raises(ValueError, match="prompt 'a.*dcff' is not UTF-8 text"):
        generator.ids(b"a\xff".decode("utf-8", "surrogateescape"))


def test_a_family_that_the_tokenizer_is_not_of(generator):
    generator.check_family("gpt2-en")
    with pytest.raises(ValueError, match="gpt2-cn has a SentencePiece tokenizer"):
        generator.check_family("gpt2-cn")


def test_the_weights_are_copied_once_for_many_texts(generator, monkeypatch):
    """A conversation's prompts have one decoder of C++, until one needs more positions."""
    made = []

    def make(model, rows, positions, kind):
        made.append(make_decoder(model, rows, positions, "native"))
        return made[-1]

    monkeypatch.setattr("paddle_impl.decoding.choice.make_decoder", make)
    decoding = Decoding(6, "sampling", vocab_size=257)
    prompts = [[*b"abc"], [*b"ab"], [*b"d"], [*b"efghijkl"], [*b"abcdefghijk"], [*b"abc"]]
    one = TextGenerator(generator.model, generator.tokenizer)
    texts = [list(one.generate([prompt], decoding, 3)) for prompt in prompts]
    assert [decoder.positions for decoder in made] == [9, 24]
    assert texts[0] == texts[-1]
    for prompt, found in zip(prompts, texts, strict=True):
        alone = TextGenerator(generator.model, generator.tokenizer)
        assert list(alone.generate([prompt], decoding, 3)) == found


def test_texts_that_are_written_at_the_same_time_do_not_mix(generator):
    decoding = Decoding(6, "sampling", vocab_size=257)
    prompts = [[[*b"abc"], [*b"x"]], [[*b"de"], [*b"y"]]]
    alone = [list(generator.generate(own, decoding, 3)) for own in prompts]
    both = list(zip(*[generator.generate(own, decoding, 3) for own in prompts], strict=True))
    assert [list(own) for own in zip(*both, strict=True)] == alone


def test_no_prompts_no_texts(generator):
    assert list(generator.generate([], Decoding(3), 0)) == []


def test_results_come_in_order_and_the_pieces_are_the_text(generator):
    """The first prompt ends last, for it has the most room."""
    prompts = [generator.ids(text) for text in ("a", "bc" * 11, "def" * 6)]
    pieces = {}

    def show(prompt, number, text):
        pieces.setdefault((prompt, number), []).append(text)

    decoding = Decoding(40, "sampling", num_return_sequences=2, stop=("\x00",), vocab_size=257)
    found = list(generator.generate(prompts, decoding, 3, show))
    assert [number for number, _ in found] == [0, 1, 2]
    for number, sequences in found:
        for index, own in enumerate(sequences):
            assert "".join(pieces[number, index]) == own.text
    assert list(generator.generate(prompts, decoding, 3)) == found
    assert list(generator.generate(prompts, decoding, 4)) != found


@pytest.fixture(scope="module")
def filler():
    """Ids 257 to 260 are the prefix, middle, suffix and pad tokens, 261 is <python>."""
    model = GPTForCausalLM(ModelConfig(vocab_size=262, initializer_range=0.5, **SHAPE))
    initialize(model, 0)
    return TextGenerator(model, Tokenizer.byte_level().with_added_tokens([*FIM_TOKENS, "<python>"]))


def test_a_gap_has_its_own_prompt_and_ends(filler):
    decoding = filler.for_gaps(Decoding(6, min_new_tokens=1, eos_token_ids=(256,)))
    assert decoding.eos_token_ids == (256, 257, 258, 259, 260)
    assert decoding.min_new_tokens == 0
    assert filler.gap_ids("a", "b", decoding) == [257, 97, 259, 98, 258]
    assert filler.gap_ids("a", "b", decoding, mode="spm", language="python") == [
        261, 257, 259, 98, 258, 97]


@pytest.mark.parametrize(("new", "most"), [(6, 18), (12, 12), (500, 12)])
def test_a_middle_keeps_its_room_and_what_is_cut_is_said(filler, new, most):
    room = most - 3
    with pytest.warns(UserWarning, match=f"{most} tokens fit before its middle, so the first "
                      f"{30 - (room - room // 4)} tokens of the prompt and the last "
                      f"{9 - room // 4} of the suffix are left out"):
        ids = filler.gap_ids("a" * 30, "b" * 9, Decoding(new))
    assert len(ids) == most


def test_a_language_stands_before_a_prompt_even_an_empty_one(filler):
    assert filler.ids("a", language="Python") == [261, 97]
    assert filler.ids("", language="python") == [261]
    with pytest.raises(ValueError, match="no token for the language 'java': it has python"):
        filler.ids("a", language="java")


def test_complete_fills_gaps(filler):
    greedy = {"decode_strategy": "greedy_search", "max_dec_len": 6}
    decoding = filler.for_gaps(Decoding(6, eos_token_ids=filler.end_tokens))
    ids = [filler.gap_ids(text, suffix, decoding) for text, suffix in (("a", "b"), ("c", "d"))]
    expected = [one.text for _, found in filler.generate(ids, decoding, 123) for one in found]
    assert filler.complete(["a", "c"], suffix=["b", "d"], **greedy) == expected
    assert filler.complete("a", suffix="b", **greedy) == expected[:1]
    assert filler.complete("a", **greedy) != expected[:1]
    with pytest.raises(ValueError, match="suffix has 1 texts for 2 prompts"):
        filler.complete(["a", "c"], suffix=["b"])


def test_models_that_fill_no_gaps_say_so(generator):
    with pytest.raises(ValueError, match="has no <fim_prefix> <fim_middle> <fim_suffix>"):
        generator.gap_ids("a", "b", Decoding(6))
    small = GPTForCausalLM(ModelConfig(vocab_size=257, **SHAPE))
    extended = Tokenizer.byte_level().with_added_tokens(FIM_TOKENS)
    with pytest.raises(ValueError, match="id 259, beyond the model's vocabulary of 257"):
        TextGenerator(small, extended).gap_ids("a", "b", Decoding(6))


def test_a_part_of_the_prompts_draws_as_it_does_among_all(generator):
    decoding = Decoding(6, "sampling", vocab_size=257)
    prompts = [[*b"a"], [*b"a"], [*b"a"]]
    whole = list(generator.generate(prompts, decoding, 3))
    assert whole[0][1] != whole[2][1]
    ((_, last),) = generator.generate(prompts[2:], decoding, 3, first=2)
    assert last == whole[2][1]
