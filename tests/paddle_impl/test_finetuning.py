"""Records as training examples: the tokens of a step are counted without padding."""

import json

import pytest

from data_tools.completion.languages import PAD
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.finetuning import RecordExamples, RecordLoader

LENGTHS = (1, 5, 2, 9, 3, 3, 7, 1, 4, 6, 8)  # of the ids; the language and the end are added


@pytest.fixture
def examples(tmp_path) -> RecordExamples:
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps({"token_ids": [65] * length, "label": "Python"}) + "\n"
                            for length in LENGTHS))
    return RecordExamples(path, Tokenizer.byte_level().with_added_tokens([PAD, "<python>"]), 9)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_the_tokens_of_a_step_are_the_labels_of_all_processes(examples, processes):
    pad = Tokenizer.byte_level().vocab_size
    loaders = [RecordLoader(examples, 2, pad, accumulation_steps=2, seed=3, rank=rank,
                            world_size=processes) for rank in range(processes)]
    epoch = loaders[0].steps_per_epoch
    for index in range(2 * epoch):
        batches = [batch for loader in loaders for batch in loader.step(index)]
        for loader in loaders:
            assert loader.tokens(index) == sum((b["labels"] != -100).sum() for b in batches)
    given = sum(min(length + 2, 9) - 1 for length in LENGTHS)
    assert sum(map(loaders[0].tokens, range(epoch))) == given
