"""Three tasks as a fine-tuning command would bring them, small enough to run in a test.

As a script it trains one and kills itself: task_doubles.py TASK BASE OUTPUT_DIR STEP.
"""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
from safetensors.numpy import save_file

from paddle_impl import checkpoint
from paddle_impl.config.model import ModelConfig
from paddle_impl.config.run import RunConfig
from paddle_impl.convert import hugging_face
from paddle_impl.heads import GPTForSequenceClassification
from paddle_impl.model import GPTForCausalLM, initialize
from paddle_impl.objectives import CAUSAL_LM, Objective, cross_entropy
from paddle_impl.training.resume import Fact
from paddle_impl.training.run import Run
from paddle_impl.training.task import Task
from tests.paddle_impl.low_rank import LowRank, substitute

TINY = ModelConfig(n_layer=2, n_embd=16, n_head=2, vocab_size=50, n_positions=24, bos_token_id=0,
                   eos_token_id=0, pad_token_id=49, embd_pdrop=0.1, resid_pdrop=0.1, attn_pdrop=0.1)


class Batches:
    """Rows of arrays by name, four a step, over and over."""

    def __init__(self, seed=0, **shapes):
        stream = np.random.default_rng(seed)
        self.rows = {name: stream.integers(0, high, (24, *shape))
                     for name, (high, shape) in shapes.items()}

    def step(self, index):
        at = 4 * index % 24
        return [{name: rows[at : at + 4] for name, rows in self.rows.items()}]

    def first(self, count):
        return (self.step(index)[0] for index in range(count))

    def describe(self, step_index, micro):
        return f"rows {4 * step_index % 24} to {4 * step_index % 24 + 3}"


class Double(Task):
    """The common part of the three tasks."""

    samples_per_step, sample_tokens, step_tokens = 4, 12, 48
    facts = (Fact("data", "data.seed", "pass the seed {was}"),)

    def __init__(self, loader, seed, ranks):
        super().__init__(ranks)
        self.seed, self.loaders = seed, {"train": loader, "valid": loader, "test": None}

    def data(self):
        return {"seed": self.seed}

    def learning_rate(self, step):
        return 1e-2


def log_probability(model, ids):
    """Of rows (B, T + 1), summed over their tokens: (B,)."""
    logits = model(ids[:, :-1])
    return -cross_entropy(logits, ids[:, 1:]).sum(1)


def prefer(model, batch):
    """Two forward passes: the margin of the chosen text over the rejected one."""
    margins = log_probability(model, batch["chosen"]) - log_probability(model, batch["rejected"])
    pairs = len(margins)
    return F.softplus(-margins).sum(), {
        "accuracy": ((margins > 0).astype("float32").sum(), pairs), "margin": (margins.sum(), pairs)
    }


class Pairs(Double):
    name = "pairs"
    measures = {"loss": False, "accuracy": True, "margin": True}
    objective = Objective(lambda batch: len(batch["chosen"]), prefer)

    def __init__(self, base, ranks, seed=0):
        loader = Batches(seed, chosen=(50, (13,)), rejected=(50, (13,)))
        super().__init__(loader, seed, ranks)


def classify(model, batch):
    logits = model(batch["input_ids"])  # (B, L)
    losses = cross_entropy(logits, batch["classes"])
    right = (logits.argmax(-1) == batch["classes"]).astype("float32")
    return losses.sum(), {"accuracy": (right.sum(), len(right))}


class Classification(Double):
    name = "classification"
    objective = Objective(lambda batch: len(batch["classes"]), classify)

    def __init__(self, base, ranks, seed=0):
        loader = Batches(seed, input_ids=(49, (12,)), classes=(3, ()))
        super().__init__(loader, seed, ranks)

    def fit(self, shape):
        return shape.with_(labels=("a", "b", "c"), pad_token_id=49)

    def build(self, shape, parts):
        return GPTForSequenceClassification(shape, parts)

    def load(self, source, model, continues):
        if continues:
            return super().load(source, model, continues)
        body = [name for name, _ in model.named_parameters() if name != "score.weight"]
        initialize(model, 0)
        hugging_face.load_weights(model, checkpoint.open_weights(source), body)


class Adapter(Double):
    name = "adapter"
    objective = CAUSAL_LM

    def __init__(self, base, ranks, seed=0):
        self.base = base
        super().__init__(Batches(seed, input_ids=(50, (12,)), labels=(50, (12,))), seed, ranks)

    def build(self, shape, parts):
        model = GPTForCausalLM(shape, parts)
        checkpoint.load_weights(self.base, model)
        for parameter in model.parameters():
            parameter.stop_gradient = True
        for block in model.transformer.h:
            substitute(block.attn, "c_attn", LowRank)
        model.adapter_config = {"base_model_name_or_path": str(self.base), "peft_type": "LORA"}
        return model

    def load(self, source, model, continues):
        if continues:
            super().load(source, model, continues)


class LastBlock(Double):
    """Trains one block of a whole model; with `nothing` its loss depends on no parameter."""

    name = "last block"
    objective = CAUSAL_LM
    nothing = False

    def __init__(self, base, ranks, seed=0):
        super().__init__(Batches(seed, input_ids=(50, (12,)), labels=(50, (12,))), seed, ranks)
        if self.nothing:
            self.objective = CAUSAL_LM._replace(
                loss=lambda model, batch: (CAUSAL_LM.loss(model, batch)[0] * 0.0, {}))

    def build(self, shape, parts):
        model = GPTForCausalLM(shape, parts)
        for name, parameter in model.named_parameters():
            parameter.stop_gradient = not name.startswith(self.trained)
        return model

    trained = "transformer.h.1."


TASKS = {task.name: task for task in (Pairs, Classification, Adapter, LastBlock)}


def write_base(directory: Path) -> Path:
    """A checkpoint as transformers would write it, without a training state."""
    directory.mkdir()
    model = GPTForCausalLM(TINY)
    initialize(model, 3)
    (directory / "config.json").write_text(json.dumps(TINY.to_hf()))
    save_file(hugging_face.to_hf(model), directory / "model.safetensors", {"format": "pt"})
    return directory


def run(task: str, base: Path, output_dir: Path, seed: int = 0, **flags) -> Run:
    config = RunConfig.of(**{
        "model_type": "gpt", "model_name_or_path": str(base), "output_dir": str(output_dir),
        "max_steps": 6, "save_steps": 2, "eval_freq": 3, "eval_iters": 1, "device": "cpu",
        "report_to": "none", "peak_tflops": 1.0, "weight_decay": 0.1, "grad_clip": 1.0,
    } | flags)
    return Run(config, partial(TASKS[task], base, seed=seed))


def killed(task: str, base: Path, output_dir: Path, step: int) -> None:
    """A run that kill -9 ends in the middle of a step."""
    started = run(task, base, output_dir)
    plain, passes = started.objective, []

    def loss(model, batch):
        passes.append(model.training)
        if sum(passes) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain.loss(model, batch)

    started.objective = plain._replace(loss=loss)
    started.train()


if __name__ == "__main__":
    paddle.set_device("cpu")
    killed(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
