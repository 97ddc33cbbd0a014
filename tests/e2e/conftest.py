"""A short run on the tiny dataset, in this process or another."""

import pytest

import run_pretrain


@pytest.fixture
def flags(tiny_data):
    """The flags of a run of 6 steps; later ones win, so tests append theirs."""

    def build(output_dir, *more) -> list[str]:
        return [str(part) for part in (
            "--model_type", "gpt", "--model_name_or_path", "code-mini", "--input_dir", tiny_data,
            "--output_dir", output_dir, "--split", "80,15,5", "--max_seq_len", 32,
            "--micro_batch_size", 2, "--max_lr", 1e-3, "--min_lr", 1e-4, "--decay_steps", 6,
            "--warmup_rate", 0.5, "--weight_decay", 0.1, "--grad_clip", 1.0, "--max_steps", 6,
            "--save_steps", 3, "--eval_freq", 2, "--eval_iters", 2, "--device", "cpu", *more,
        )]

    return build


@pytest.fixture
def pretrain(flags):
    """Run run_pretrain.py's main in this process."""
    return lambda *arguments: run_pretrain.main(flags(*arguments))
