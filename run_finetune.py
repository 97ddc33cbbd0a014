"""Fine-tune a GPT. The tasks are in paddle_impl/finetuning/, and each has flags of its own: see
--task TASK --help.

Exit codes are those of run_pretrain.py.
"""

import os
import sys
from dataclasses import replace

import args
import run_pretrain
from paddle_impl.config.finetune import FinetuneConfig, TaskConfig
from paddle_impl.config.finetune_classify import ClassifyConfig
from paddle_impl.config.finetune_dpo import DPOConfig
from paddle_impl.config.finetune_e2e import E2EConfig
from paddle_impl.config.finetune_sft import SFTConfig
from paddle_impl.process import launch, stopping

PROG = "run_finetune.py"
FLAGS = {"completion": FinetuneConfig,  # the default task
         "classify": ClassifyConfig, "dpo": DPOConfig, "e2e": E2EConfig, "sft": SFTConfig}


def parse(argv: list[str] | None = None) -> TaskConfig:
    argv = list(sys.argv[1:] if argv is None else argv)
    task = args.given(argv, "task")
    return args.parse(FLAGS.get(task, FinetuneConfig), PROG, "Fine-tune a GPT on examples.", argv)


def main(argv: list[str] | None = None) -> None:
    argv = list(sys.argv[1:] if argv is None else argv)
    config = parse(argv)
    if not launch.is_launched():  # else the launcher has given this process its card
        if (device := config.processes.visible_device) is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = device
        if config.processes.n_gpu > 1:
            _launch(config, argv)
    launch.prepare()
    if config.wandb.with_wandb:
        os.environ |= {"WANDB_PROJECT": config.wandb.wandb_project_name,
                       "WANDB_NAME": config.wandb.wandb_run_name}
    config = replace(config, tracking=replace(config.tracking, report_to=config.reported_to()))
    run_pretrain.train(PROG, config, "paddle_impl.finetuning.choice:finetuning_run")


def _launch(config: TaskConfig, argv: list[str]) -> None:
    """Put Paddle's launcher, which starts --n_gpu of this command, in the place of the process."""
    words = [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node",
             str(config.processes.n_gpu), "--log_dir",
             os.path.join(config.checkpoint.output_dir, "log"), __file__, *argv]
    os.execv(sys.executable, words)


if __name__ == "__main__":
    stopping.use_default_sigint()
    main()
