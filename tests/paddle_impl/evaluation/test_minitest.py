"""Ten prompts, the same for every checkpoint."""

import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.evaluation import minitest
from paddle_impl.evaluation.minitest import PROMPTS, SETTINGS, answers, transcript
from paddle_impl.generate import generate
from paddle_impl.model import GPTForCausalLM, initialize


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.byte_level()  # 257 ids


@pytest.fixture(scope="module")
def model():
    config = ModelConfig(n_layer=1, n_embd=16, n_head=2, vocab_size=272, n_positions=48,
                         bos_token_id=256, eos_token_id=256, initializer_range=0.3)
    model = GPTForCausalLM(config)
    initialize(model, 1)
    return model


@pytest.fixture(scope="module")
def records(model, tokenizer):
    return answers(model, tokenizer, 5)


def test_ten_different_beginnings_of_code_and_prose():
    assert len(set(PROMPTS)) == len(PROMPTS) == 10


def test_every_prompt_is_continued_greedily_and_sampled(records, model, tokenizer):
    assert [record["prompt"] for record in records] == list(PROMPTS)
    for record in records:
        ids = tokenizer.encode(record["prompt"]).tolist()
        assert record["prompt_ids"] == ids[-24:]  # half of the positions
        for name in SETTINGS:
            one = record[name]
            assert one["text"] == tokenizer.decode(one["token_ids"])
            assert max(one["token_ids"]) < 257  # not the padding of the embedding
            assert one["finish_reason"] in ("eos", "length")
    one = records[6]
    alone = generate(model, [one["prompt_ids"]], minitest.Decoding(
        24, eos_token_ids=(256,), vocab_size=257))[0][0]
    assert one["greedy"]["token_ids"] == alone.token_ids


def test_the_seed_decides_what_is_sampled(records, model, tokenizer):
    assert answers(model, tokenizer, 5) == records
    others = answers(model, tokenizer, 6)
    assert [one["greedy"] for one in others] == [one["greedy"] for one in records]
    assert [one["sampled"] for one in others] != [one["sampled"] for one in records]


def test_a_transcript_holds_everything(records):
    text = transcript(records)
    for record in records:
        for part in (record["prompt"], record["greedy"]["text"], record["sampled"]["text"]):
            assert part in text


def test_a_model_without_room_says_so(tokenizer):
    model = GPTForCausalLM(ModelConfig(n_layer=1, n_embd=8, n_head=1, vocab_size=257, n_positions=1,
                                       bos_token_id=256, eos_token_id=256))
    with pytest.raises(ValueError, match="needs one for the first new token"):
        answers(model, tokenizer, 0)


def test_progress_counts_the_prompts(model, tokenizer):
    counts = []

    def progress(prompts):
        counts.append(0)
        for prompt in prompts:
            counts[-1] += 1
            yield prompt

    answers(model, tokenizer, 0, progress)
    assert counts == [10] * len(SETTINGS)
