"""--test_file writes the same text at the same step, and does not change the training."""

import numpy as np
import paddle
import pytest

from data_tools.tokenizing.tokenizer import Tokenizer
from data_tools.tokenizing.tokenizer_config import TokenizerConfig
from paddle_impl.config.decoding import Decoding, DecodingOptions
from paddle_impl.config.model import ModelConfig
from paddle_impl.data.loader import PretrainLoader
from paddle_impl.generate import generate
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.optim.adamw import build_optimizer
from paddle_impl.parallel.ranks import Ranks, grid
from paddle_impl.training.completions import Completions
from paddle_impl.training.trainer import Cadence, Trainer

BYTES = Tokenizer.byte_level()
NO_END = Tokenizer(BYTES._prompt, config=TokenizerConfig(names={"eos_token": "!"}))
# A third of the vocabulary is padding; a large range makes the logits differ.
CONFIG = ModelConfig(n_layer=2, n_embd=16, n_head=2, vocab_size=400, n_positions=24,
                     bos_token_id=256, eos_token_id=256, initializer_range=0.5)


@pytest.fixture
def model():
    model = GPTForCausalLM(CONFIG)
    initialize(model, 0)
    return model


@pytest.fixture
def completions(tmp_path):
    """completions(text of the file, **options)"""

    def build(text="from\nimport\ndef\n", tokenizer=BYTES, config=CONFIG, **options):
        path = tmp_path / "test.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        seed = options.pop("seed", 1)
        decoding = DecodingOptions(**{"max_dec_len": 8} | options)
        return Completions(str(path), tokenizer, config, decoding, seed)

    return build


def test_each_line_is_completed(completions, model):
    found = completions(max_dec_len=18).complete(model, 5, Ranks())
    assert [prompt for prompt, _ in found] == ["from", "import", "def"]
    assert all(len(text) > 0 for _, text in found)


def test_seed_step_and_line_decide(completions, model):
    """What a resumed run writes at step 5 is what the run before it wrote."""
    lines = completions("def\ndef\n", temperature=3.0)
    found = lines.complete(model, 5, Ranks())
    again = completions("def\ndef\n", temperature=3.0)
    again.complete(model, 4, Ranks())
    assert again.complete(model, 5, Ranks()) == found
    other = completions("def\ndef\n", temperature=3.0, seed=2)
    texts = [text for at in (found, lines.complete(model, 6, Ranks()),
                             other.complete(model, 5, Ranks())) for _, text in at]
    assert len(set(texts)) == 6


def test_greedy_takes_the_likeliest(completions, model):
    ((_, text),) = completions("def\n", decode_strategy="greedy_search").complete(model, 5, Ranks())
    decoding = Decoding(8, min_new_tokens=1, eos_token_ids=(256,), vocab_size=257)
    ((found,),) = generate(model, [list(b"def")], decoding)
    assert text == BYTES.decode(found.token_ids)


@pytest.mark.parametrize("options", [{"top_k": 1}, {"top_k": 0, "top_p": 1e-9},
                                     {"temperature": 1e-6}])
def test_filters_reach_the_draw(completions, model, options):
    """Each of them alone leaves one token: the likeliest."""
    options = {"top_k": 0} | options
    greedy = completions(decode_strategy="greedy_search").complete(model, 5, Ranks())
    assert completions(**options).complete(model, 5, Ranks()) == greedy
    assert completions(temperature=3.0).complete(model, 5, Ranks()) != greedy


def test_the_end_token_ends_a_line_but_does_not_begin_it(completions, model):
    ((free,),) = generate(model, [list(b"def")], Decoding(8, vocab_size=257))
    first, other = free.token_ids[0], next(i for i in free.token_ids if i != free.token_ids[0])
    texts = [
        completions("def\n", decode_strategy="greedy_search", config=CONFIG.with_(eos_token_id=end))
        .complete(model, 5, Ranks())[0][1] for end in (first, other)
    ]
    assert texts[0] != ""
    assert texts[1] == BYTES.decode(free.token_ids[: free.token_ids.index(other)])


def test_padding_of_the_vocabulary_is_never_drawn(completions, model):
    """The tokenizer would refuse to decode it."""
    for step in range(3):
        completions(temperature=50.0, top_k=0).complete(model, step, Ranks())


def test_an_empty_line_begins_a_document(completions, model):
    lines = completions("\n", decode_strategy="greedy_search")
    ((prompt, text),) = lines.complete(model, 5, Ranks())
    decoding = Decoding(8, min_new_tokens=1, eos_token_ids=(256,), vocab_size=257)
    ((found,),) = generate(model, [[256]], decoding)
    assert (prompt, text) == ("", BYTES.decode(found.token_ids))


@pytest.mark.parametrize("training", [True, False])
def test_mode_and_random_state_are_left_alone(completions, model, training):
    model.train() if training else model.eval()
    paddle.seed(3)
    expected = paddle.rand([4]).numpy()
    paddle.seed(3)
    completions().complete(model, 5, Ranks())
    np.testing.assert_array_equal(paddle.rand([4]).numpy(), expected)
    assert {layer.training for layer in model.sublayers(include_self=True)} == {training}


def test_training_is_bit_identical_with_it_and_without(completions):
    """Dropout is on; completions come between the steps."""
    samples = np.random.default_rng(3).integers(0, 257, (16, 13))
    lines = completions()
    runs = []
    for evaluate in (lambda model, step: None,
                     lambda model, step: lines.complete(model, step, Ranks()) and None):
        model, records = GPTForCausalLM(CONFIG), []
        initialize(model, 0)
        Trainer(
            model=model, optimizer=build_optimizer(model, learning_rate=0.01, weight_decay=0.1),
            objective=CAUSAL_LM, loader=PretrainLoader(samples, 4, 256),
            cadence=Cadence(max_steps=3, logging_freq=1, eval_freq=1, save_steps=9,
                              learning_rate=lambda step: 0.01),
            grad_clip=0.5, seed=1, ranks=Ranks(), log=records.append,
            evaluate=lambda step, model=model, evaluate=evaluate: evaluate(model, step),
            save=lambda step: None,
        ).train(0)
        runs.append(([(r["loss"], r["grad_norm"]) for r in records],
                     [p.numpy().tobytes() for p in model.parameters()]))
    assert runs[0] == runs[1]


def test_only_the_main_process_s_share_of_a_grid_generates(completions, model):
    """Of 2 x 2 processes the two that hold the main one's model, both the same text."""
    lines = completions()
    found = [lines.complete(model, 5, grid(rank, 4, model=2)) for rank in (0, 1)]
    assert found[0] == found[1] == lines.complete(model, 5, Ranks())
    for rank in (2, 3):
        assert lines.complete(None, 5, grid(rank, 4, model=2)) == []
    assert lines.complete(None, 5, grid(1, 2)) == []


@pytest.mark.parametrize(("text", "options", "message"), [
    ("", {}, "test.txt has no lines"),
    (b"def \xff\n", {}, "test.txt is not UTF-8"),
    ("def\n" + "x" * 17, {}, "line 2 has 17 tokens, with 8 new ones more than the model's 24"),
    ("def", {"tokenizer": None}, "needs a tokenizer, .* --vocab_file and --merge_file"),
    ("def", {"config": CONFIG.with_(vocab_size=100)}, "line 1 holds id 102, .* is 0 to 99"),
    ("a\n\nb", {"tokenizer": NO_END}, "line 2 is empty, and there is no end"),
])
def test_what_cannot_be_completed_is_refused_at_once(completions, text, options, message):
    with pytest.raises(ValueError, match=f"--test_file .*{message}"):
        completions(text, **options)


def test_a_line_may_fill_the_positions(completions, model):
    completions("x" * 16).complete(model, 5, Ranks())


def test_a_file_that_is_not_there(tmp_path):
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(ValueError, match=f"--test_file {path} cannot be read"):
            Completions(str(path), BYTES, CONFIG, DecodingOptions(), 1)
