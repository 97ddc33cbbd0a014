"""The task that the flags name."""

from functools import partial

from paddle_impl.config.finetune import TaskConfig
from paddle_impl.finetuning.classify import Classify
from paddle_impl.finetuning.completion import Completion
from paddle_impl.finetuning.dpo import DPO
from paddle_impl.finetuning.e2e import E2E
from paddle_impl.finetuning.sft import SFT
from paddle_impl.training.run import Run

TASKS = {"classify": Classify, "completion": Completion, "dpo": DPO, "e2e": E2E, "sft": SFT}


def finetuning_run(config: TaskConfig) -> Run:
    """Check the configuration and put the run together; ValueError if it cannot be trained."""
    return Run(config, partial(TASKS[config.task], config))
