"""A run that starts from weights whose tokenizer has got control tokens."""

import json
from functools import partial

import numpy as np
import paddle
import pytest
from safetensors.numpy import save_file

from data_tools.preparing.flags import FIM_TOKENS
from data_tools.token_files.writer import TokenFileWriter
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl import checkpoint
from paddle_impl.checkpoint import load_tokenizer
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.config.run import RunConfig
from paddle_impl.convert import hugging_face
from paddle_impl.convert.resizing import WTE
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.objectives import CAUSAL_LM
from paddle_impl.pretraining import pretraining_run
from paddle_impl.training.run import Run
from tests.paddle_impl.training import task_doubles as doubles

OLD, ADDED = 257, ["<pad>", "<python>", "<java>"]


class Completion(doubles.Double):
    """The language model with three more tokens, as `Task` itself makes it."""

    name = "completion"
    objective = CAUSAL_LM

    def __init__(self, base, ranks):
        high = OLD + len(ADDED)
        super().__init__(doubles.Batches(0, input_ids=(high, (12,)), labels=(high, (12,))), 0,
                         ranks)
        self.tokenizer = load_tokenizer(base).with_added_tokens(ADDED)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A checkpoint as transformers would write it, with its tokenizer."""
    directory = tmp_path_factory.mktemp("base")
    config = doubles.TINY.with_(vocab_size=OLD, pad_token_id=None, eos_token_id=256)
    model = GPTForCausalLM(config)
    initialize(model, 3)
    (directory / "config.json").write_text(json.dumps(config.to_hf()))
    save_file(hugging_face.to_hf(model), directory / "model.safetensors", {"format": "pt"})
    Tokenizer.byte_level().save(directory)
    return directory


@pytest.fixture
def start(base, tmp_path):
    def started(output: str, **flags) -> Run:
        config = RunConfig.of(**{
            "model_type": "gpt", "model_name_or_path": str(base), "max_steps": 4, "save_steps": 2,
            "output_dir": str(tmp_path / output), "eval_iters": 0, "device": "cpu",
            "report_to": "none", "peak_tflops": 1.0, "weight_decay": 0.1} | flags)
        return Run(config, partial(Completion, base))

    return started


def test_it_starts_with_rows_for_the_new_tokens(start, base):
    run = start("run")
    old = hugging_face.to_hf(checkpoint.load_model(base))
    for name, value in hugging_face.to_hf(run.model).items():
        assert value[: len(old[name])].tobytes() == old[name].tobytes(), name
    rows = run.model.transformer.wte.weight.numpy()
    mean = old[WTE].mean(axis=0, dtype=np.float64).astype("float32")
    assert (rows[OLD:] == mean).all() and rows.shape == (OLD + 3, doubles.TINY.n_embd)
    assert run.model.config.vocab_size == run.model.transformer.config.vocab_size == OLD + 3


def test_its_checkpoint_has_all_tokens_and_continues(start, tmp_path):
    start("whole").train()
    start("part", max_steps=2).train()
    start("part", resume=True).train()
    whole, resumed = (tmp_path / output / "model_4" for output in ("whole", "part"))
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == {
        path.name: path.read_bytes() for path in resumed.iterdir()}
    assert json.loads((whole / "config.json").read_text())["vocab_size"] == OLD + 3
    tokenizer = checkpoint.load_tokenizer(whole)
    assert [tokenizer.special_tokens[token] for token in ADDED] == [OLD, OLD + 1, OLD + 2]
    state, _ = (checkpoint.load_state(whole), checkpoint.load_model(whole))
    assert state.tokenizer == tokenizer.fingerprint()


def test_transformers_opens_it_with_the_same_logits(start, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    run = start("run", max_steps=2)
    run.train()
    path = tmp_path / "run" / "model_2"
    theirs = transformers.AutoModelForCausalLM.from_pretrained(path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    ids = np.array(tokenizer("<python>def f():<pad>")["input_ids"])[None]
    assert ids[0, 0] == OLD + 1 and ids[0, -1] == OLD
    own = checkpoint.load_tokenizer(path).encode("<python>def f():<pad>", special_tokens=True)
    assert own.tolist() == ids[0].tolist() and theirs.config.vocab_size == OLD + 3
    assert theirs.lm_head.weight is theirs.transformer.wte.weight
    with torch.no_grad(), paddle.no_grad():
        expected = theirs(torch.from_numpy(ids)).logits.numpy()
        got = checkpoint.load_model(path)
        got.eval()
        np.testing.assert_allclose(got(paddle.to_tensor(ids)).numpy(), expected, atol=1e-6)


def test_pretraining_goes_on_with_data_that_have_control_tokens(base, tmp_path):
    """As --fim_rate makes them: the weights' tokenizer, and control tokens behind it."""
    tokenizer = Tokenizer.byte_level().with_added_tokens(FIM_TOKENS)
    with TokenFileWriter(tmp_path / "fim", tokenizer.vocab_size, tokenizer) as writer:
        for _ in range(20):
            writer.append(np.array([*tokenizer.encode("x = 1\n" * 9), OLD + 1, 7, OLD - 1]))
    flags = {"model_type": "gpt", "init_from": str(base), "output_dir": str(tmp_path / "run"),
             "input_dir": str(tmp_path / "fim_ids.npy"), "max_seq_len": 12, "max_steps": 2,
             "micro_batch_size": 2, "eval_iters": 0, "device": "cpu", "report_to": "none",
             "peak_tflops": 1.0, "split": "90,5,5", "decay_steps": 0}
    run = pretraining_run(PretrainConfig.of(**flags))
    rows = run.model.transformer.wte.weight.numpy()
    old = checkpoint.load_model(base).transformer.wte.weight.numpy()
    assert (rows[:OLD] == old).all() and (rows[OLD:] == old.mean(0, dtype=np.float64).astype(
        "float32")).all() and rows.shape[0] == OLD + len(FIM_TOKENS)
    run.train()
    saved = checkpoint.load_tokenizer(tmp_path / "run" / "model_2")
    assert saved.fingerprint() == tokenizer.fingerprint()
    goes_on = pretraining_run(PretrainConfig.of(**flags | {"resume": True, "max_steps": 3}))
    assert goes_on.start_step == 2
