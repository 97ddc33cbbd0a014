"""The C++ decode step computes what the model does, whatever the other rows of a batch are."""

import numpy as np
import paddle
import pytest

from paddle_impl.config.model import ModelConfig
from paddle_impl.decoding.native_decoder import NativeDecoder, instruction_sets
from paddle_impl.model import GPTForCausalLM, initialize

POSITIONS, VOCABULARY = 40, 101  # neither is a whole number of vectors

SHAPES = {
    # head size 64 is whole blocks of vectors, 24 and 5 leave some over; the last has no whole one
    "wide": {"n_layer": 1, "n_embd": 128, "n_head": 2},
    "odd": {"n_layer": 2, "n_embd": 72, "n_head": 3, "n_inner": 200},
    "tiny": {"n_layer": 2, "n_embd": 5, "n_head": 1, "n_inner": 7},
}


def made(dtype: str, shape: str = "odd") -> GPTForCausalLM:
    """A model whose biases and gains matter, too."""
    before = paddle.get_default_dtype()
    paddle.set_default_dtype(dtype)
    try:
        model = GPTForCausalLM(ModelConfig(
            **SHAPES[shape], vocab_size=VOCABULARY, n_positions=POSITIONS, initializer_range=0.3))
    finally:
        paddle.set_default_dtype(before)
    initialize(model, 0)
    stream = np.random.default_rng(1)
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or ".ln_" in name:
            noise = 0.3 * stream.standard_normal(parameter.shape)
            parameter.set_value((parameter.numpy() + noise).astype(dtype))
    model.eval()
    return model


@pytest.fixture(scope="module", params=["float32", "float64"])
def model(request):
    return made(request.param)


def drawn(stream, count: int) -> list[int]:
    return [int(i) for i in stream.integers(0, VOCABULARY, count)]


def recomputed(model, ids: list[int]) -> np.ndarray:
    """Logits after the last token, without a cache."""
    with paddle.no_grad():
        return model(paddle.to_tensor([ids], dtype="int64"))[0, -1].numpy()


def error(found, truth) -> float:
    return float(np.abs(found - truth).max() / np.abs(truth).max())


@pytest.mark.parametrize("instructions", instruction_sets())
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_computes_what_the_model_computes(dtype, shape, instructions):
    model, exact = made(dtype, shape), made("float64", shape)
    for name, parameter in exact.named_parameters():
        parameter.set_value(dict(model.named_parameters())[name].numpy().astype("float64"))
    decoder = NativeDecoder(model, 2, POSITIONS, threads=2, instructions=instructions)
    stream = np.random.default_rng(2)
    texts = [drawn(stream, 1), drawn(stream, 12)]
    for row, text in enumerate(texts):
        assert error(decoder.prefill(row, text), recomputed(model, text)) < 1e-6
    worst, own = 0.0, 0.0
    for _ in range(POSITIONS - 12):
        tokens = drawn(stream, 2)
        logits = decoder.step([0, 1], tokens)
        assert logits.dtype == dtype and logits.shape == (2, VOCABULARY)
        for row, text in enumerate(texts):
            text.append(tokens[row])
            truth = recomputed(exact, text)
            worst = max(worst, error(logits[row], truth))
            own = max(own, error(recomputed(model, text), truth))
    assert worst < 1e-12 if dtype == "float64" else worst < 2 * own


def test_rows_do_not_change_each_other_to_the_bit(model):
    """Alone, among up to 16 others, at another place, with other threads: the same bits."""
    stream = np.random.default_rng(3)
    prompts = [drawn(stream, 1 + i) for i in range(17)]
    tokens = [drawn(stream, 3) for _ in prompts]

    alone = NativeDecoder(model, 1, POSITIONS, threads=1)
    expected = []
    for prompt, new in zip(prompts, tokens, strict=True):
        alone.prefill(0, prompt)
        expected.append([alone.step([0], [token])[0] for token in new])

    for threads in (1, 2, 3):
        decoder = NativeDecoder(model, 17, POSITIONS, threads=threads)
        for count in range(1, 18):
            rows = [int(row) for row in stream.permutation(17)[:count]]
            for row in rows:
                decoder.prefill(row, prompts[row])
            for i in range(3):
                logits = decoder.step(rows, [tokens[row][i] for row in rows])
                for n, row in enumerate(rows):
                    assert np.array_equal(logits[n], expected[row][i]), (threads, count, row)


def test_an_instruction_set_gives_each_row_its_own_bits():
    model, stream = made("float32", "wide"), np.random.default_rng(4)
    prompts = [drawn(stream, 5) for _ in range(14)]
    for instructions in instruction_sets():
        decoder = NativeDecoder(model, 14, POSITIONS, threads=2, instructions=instructions)
        for row, prompt in enumerate(prompts):
            decoder.prefill(row, prompt)
        together = decoder.step(list(range(14)), [7] * 14)
        for row, prompt in enumerate(prompts):
            decoder.prefill(row, prompt)
            assert np.array_equal(decoder.step([row], [7])[0], together[row])


def test_copied_rows_go_on_as_beams_do(model):
    """Random reorderings through copies, against rows that were computed without any."""
    stream, width = np.random.default_rng(5), 5
    decoder = NativeDecoder(model, 2 * width, POSITIONS)
    plain = NativeDecoder(model, 1, POSITIONS)
    prompt = drawn(stream, 6)
    decoder.prefill(0, prompt)
    texts, rows, spare = [prompt], [0], list(range(1, 2 * width))
    for _ in range(20):
        sources = [int(i) for i in stream.integers(0, len(texts), width)]
        tokens = drawn(stream, width)
        # The first that continues a beam keeps its row; every other one gets a copy.
        kept, new_rows = set(), []
        spare += [row for i, row in enumerate(rows) if i not in sources]
        for source in sources:
            if source in kept:
                new_rows.append(spare.pop(0))
                decoder.copy(rows[source], new_rows[-1])
            else:
                kept.add(source)
                new_rows.append(rows[source])
        texts = [[*texts[source], token] for source, token in zip(sources, tokens, strict=True)]
        rows = new_rows
        logits = decoder.step(rows, tokens)
        for text, found in zip(texts, logits, strict=True):
            assert error(found, recomputed(model, text)) < 1e-5
    plain.prefill(0, prompt)
    for token in texts[2][len(prompt):]:
        last = plain.step([0], [token])[0]
    assert np.array_equal(last, logits[2])


def test_a_row_whose_past_was_written_over_is_refused(model):
    decoder = NativeDecoder(model, 3, POSITIONS)
    decoder.prefill(0, [1, 2, 3])
    decoder.copy(0, 1)
    decoder.step([0, 1], [4, 5])
    decoder.prefill(0, [6])  # where the first three tokens of row 1 were
    with pytest.raises(ValueError, match="row 1 shared keys and values"):
        decoder.step([1], [1])
    with pytest.raises(ValueError, match="row 1 shared keys and values"):
        decoder.copy(1, 2)
    decoder.prefill(1, [7, 8])
    assert error(decoder.step([1], [9])[0], recomputed(model, [7, 8, 9])) < 1e-5


def test_rows_of_another_prompt_take_over(model):
    """What a row held before, and what it lent to rows that are over, is gone for nobody else."""
    decoder = NativeDecoder(model, 4, POSITIONS)
    for first in (3, 30):
        decoder.prefill(0, [first] * 9)
        for row in (1, 2, 3):
            decoder.copy(0, row)
        for length in range(3):
            logits = decoder.step([3, 1, 0], [1, 2, 3])
            text = [first] * 9 + [2] * (length + 1)
            assert error(logits[1], recomputed(model, text)) < 1e-5
        decoder.prefill(2, [first, 5])
        assert error(decoder.step([2], [6])[0], recomputed(model, [first, 5, 6])) < 1e-5


def test_the_last_position_and_no_further(model):
    decoder = NativeDecoder(model, 2, 8)
    decoder.prefill(0, [1] * 7)
    decoder.prefill(1, [2])
    decoder.step([0], [2])
    with pytest.raises(ValueError, match="9 tokens exceed the 8 positions"):
        decoder.step([1, 0], [2, 2])
    # The refused step left the other row as it was.
    assert error(decoder.step([1], [3])[0], recomputed(model, [2, 3])) < 1e-5
    with pytest.raises(ValueError, match="9 tokens exceed the 8 positions"):
        decoder.prefill(0, [1] * 9)
    assert NativeDecoder(model, 1, 10 * POSITIONS).positions == POSITIONS


@pytest.mark.parametrize(("rows", "tokens", "message"), [
    ([0, 0], [1, 1], "row 0 is fed twice"),
    ([2], [1], "row 2 is not one of the 2 rows"),
    ([-1], [1], "row -1 is not one of the 2 rows"),
    ([1], [1], "row 1 holds no tokens"),
    ([0], [VOCABULARY], "outside the vocabulary 0 to 100"),
    ([0], [-1], "outside the vocabulary 0 to 100"),
    ([0], [1, 2], "1 rows, but 2 tokens"),
])
def test_what_means_nothing_is_refused(model, rows, tokens, message):
    decoder = NativeDecoder(model, 2, POSITIONS)
    decoder.prefill(0, [1])
    with pytest.raises(ValueError, match=message):
        decoder.step(rows, tokens)


def test_no_rows_no_logits(model):
    assert NativeDecoder(model, 2, POSITIONS).step([], []).shape == (0, VOCABULARY)


def test_more_rows_than_the_memory_holds_are_refused(model):
    with pytest.raises(ValueError, match="no memory for the weights and 1000000000000 rows of 40"):
        NativeDecoder(model, 10**12, POSITIONS)


def test_a_number_that_is_none_is_not_hidden():
    model = made("float32")
    weight = model.transformer.wpe.weight
    table = weight.numpy()
    table[1] = np.nan
    weight.set_value(table)
    broken = NativeDecoder(model, 1, POSITIONS)
    broken.prefill(0, [1])
    assert np.isnan(broken.step([0], [2])).all()


def test_the_weights_are_those_of_its_making(tiny_model):
    decoder = NativeDecoder(tiny_model, 1, 24)
    tiny_model.transformer.h[0].mlp.c_fc.weight.set_value(paddle.ones([16, 64]))
    decoder.prefill(0, [1, 2])
    stale = decoder.step([0], [3])
    fresh = NativeDecoder(tiny_model, 1, 24)
    fresh.prefill(0, [1, 2])
    assert not np.array_equal(stale, fresh.step([0], [3]))
