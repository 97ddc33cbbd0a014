"""What a pretraining command line must fulfil; where it does not, one ValueError names the flag."""

import math

from paddle_impl.config.options import not_built, require, split_shares

_AT_LEAST_ONE = (
    "max_seq_len", "micro_batch_size", "max_steps", "save_steps", "logging_freq", "eval_freq",
    "dp_degree", "sharding_degree", "mp_degree", "max_dec_len",
)
_NOT_NEGATIVE = (
    "eval_iters", "weight_decay", "grad_clip", "max_lr", "min_lr", "seed", "keep_checkpoints",
    "skip_nonfinite", "early_stop", "top_k",
)
_BELOW_ONE = ("adam_beta1", "adam_beta2", "hidden_dropout_prob", "attention_probs_dropout_prob")
_NEEDS = {  # flags that mean nothing without another
    "use_amp": ("dtype", "amp_level", "scale_loss"),
    "test_file": ("decode_strategy", "top_k", "top_p", "temperature", "max_dec_len"),
}


def check(config) -> None:
    """ValueError where a PretrainConfig asks for what makes no sense or is not built."""
    _numbers(config)
    _schedule_and_data(config)
    _processes(config)
    for flag, dependent in _NEEDS.items():
        for name in dependent:
            require(getattr(config, flag) or getattr(config, name) == _default(config, name),
                    f"--{name} {getattr(config, name)} means nothing without --{flag}")
    _precision(config)


def _numbers(config) -> None:
    for name in _AT_LEAST_ONE:
        value = getattr(config, name)
        require(value >= 1, f"--{name} must be at least 1, got {value}")
    for name in _NOT_NEGATIVE:
        value = getattr(config, name)
        require(0 <= value < math.inf, f"--{name} must not be negative or infinite, got {value}")
    for name in _BELOW_ONE:
        value = getattr(config, name)
        require(0.0 <= value < 1.0, f"--{name} must lie in [0, 1), got {value}")
    require(config.seed < 2**32, f"--seed must be below 2^32, got {config.seed}")
    require(config.adam_epsilon > 0, f"--adam_epsilon must be positive, got {config.adam_epsilon}")
    require(config.global_batch_size is None or config.global_batch_size >= 1,
            f"--global_batch_size must be at least 1, got {config.global_batch_size}")
    require(0.0 < config.top_p <= 1.0, f"--top_p must lie in (0, 1], got {config.top_p}")
    require(config.temperature > 0.0, f"--temperature must be above 0, got {config.temperature}")
    require(config.peak_tflops is None or 0 < config.peak_tflops < math.inf,
            f"--peak_tflops must be positive, got {config.peak_tflops}")


def _schedule_and_data(config) -> None:
    require(config.min_lr <= config.max_lr,
            f"--min_lr {config.min_lr} is above --max_lr {config.max_lr}; the rate must not rise")
    require(0.0 <= config.warmup_rate <= 1.0,
            f"--warmup_rate must lie in [0, 1], got {config.warmup_rate}")
    require(config.decay_steps is None or config.decay_steps >= 0,
            f"--decay_steps must not be negative, got {config.decay_steps}")
    require((config.vocab_file is None) == (config.merge_file is None),
            "--vocab_file and --merge_file go together: give both or neither")
    split_shares(config.split)
    require(config.packing == "windows" or config.data_order == "paddlenlp",
            f"--data_order {config.data_order} orders windows; with --packing {config.packing} "
            "blocks are shuffled, leave it out")
    require(config.packing == "windows" or config.max_seq_len >= 2,
            f"--packing {config.packing} takes its labels from inside of a block: --max_seq_len "
            f"must be at least 2, got {config.max_seq_len}")
    require(config.early_stop == 0 or config.eval_iters > 0,
            "--early_stop needs evaluations, --eval_iters 0 makes none")
    require(config.early_stop == 0 or config.eval_freq <= config.max_steps,
            f"--early_stop needs evaluations: --eval_freq {config.eval_freq} is above --max_steps "
            f"{config.max_steps}")


def _processes(config) -> None:
    if config.pp_degree != 1:
        raise not_built(f"--pp_degree {config.pp_degree}", "only --pp_degree 1 works")
    if config.enable_addto:
        raise not_built("--enable_addto", "leave it out")
    sharded = config.use_sharding or config.sharding_degree > 1
    require(config.sharding_stage == 1 or sharded,
            f"--sharding_stage {config.sharding_stage} means nothing without --sharding_degree")


def _precision(config) -> None:
    if not config.use_amp:
        return
    require(config.device != "cpu",
            "--use_amp on --device cpu: Paddle has no half precision kernels for a CPU and would "
            "compute in float32 without a word; leave it out")
    require(0 < config.scale_loss < 2.0**127,
            f"--scale_loss must be positive and fit float32, got {config.scale_loss}")
    require(config.dtype != "bfloat16" or config.scale_loss == _default(config, "scale_loss"),
            f"--scale_loss {config.scale_loss} goes with float16; bfloat16 has float32's range")


def _default(config, name: str):
    return type(config).__dataclass_fields__[name].default
