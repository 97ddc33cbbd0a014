"""Flags of run_pretrain.py: PaddleNLP's names and defaults, unless the help says otherwise."""

from dataclasses import dataclass

from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import flag, not_built, require, split_shares

MODEL_TYPES = ("gpt", "gpt2", "gpt2-en", "gpt2-cn")


@dataclass(frozen=True)
class PretrainConfig:
    model_type: str = flag(help="family of the model", choices=MODEL_TYPES)
    model_name_or_path: str = flag(
        help="a registry name (trains from scratch) or a checkpoint directory (continues from it)"
    )
    input_dir: str = flag(
        help="directory with X_ids.npy + X_idx.npz, or one X_ids.npy; or a blend: '0.3 A 0.7 B'"
    )
    output_dir: str = flag(help="where checkpoints and logs go; refused if it holds another run")
    resume: bool = flag(False, "continue from the newest complete checkpoint of output_dir")
    vocab_file: str | None = flag(None, "vocab.json of the data's tokenizer (else X_tokenizer/)")
    merge_file: str | None = flag(None, "merges.txt that belongs to --vocab_file")
    split: str = flag("949,50,1", "shares of train, valid and test documents, in document order")
    max_seq_len: int = flag(1024, "tokens in a training sample")
    packing: str = flag(
        "windows", "windows over all documents joined end to end; or blocks of each document, its "
        "short tail kept (padded, no loss on padding) or dropped",
        choices=("windows", "keep", "drop"),
    )
    data_order: str = flag(
        "paddlenlp", "order of windows: documents in file order, or shuffled too as Megatron-LM's",
        choices=("paddlenlp", "megatron"),
    )
    micro_batch_size: int = flag(8, "samples in one forward pass of one process")
    global_batch_size: int | None = flag(
        None, "samples in one optimizer step over all processes (default: micro batch x processes)"
    )
    weight_decay: float = flag(0.0, "decoupled decay of matrices and embeddings, never of biases")
    grad_clip: float = flag(0.0, "bound on the global gradient norm; 0 does not clip")
    max_lr: float = flag(1e-4, "learning rate at the end of the warm-up (PaddleNLP: 1e-5)")
    min_lr: float = flag(1e-5, "learning rate after decay_steps (PaddleNLP: 5e-5, above max_lr)")
    warmup_rate: float = flag(0.01, "warm-up steps as a share of decay_steps, not of max_steps")
    lr_decay_style: str = flag("cosine", "schedule of the rate", choices=("cosine", "none"))
    adam_beta1: float = flag(0.9, "AdamW beta1")
    adam_beta2: float = flag(0.999, "AdamW beta2")
    adam_epsilon: float = flag(1e-8, "AdamW epsilon")
    max_steps: int = flag(500000, "optimizer steps of the whole run, resumed ones included")
    decay_steps: int | None = flag(360000, "step at which min_lr is reached (0: max_steps)")
    save_steps: int = flag(500, "a checkpoint every so many steps, and one at the end")
    logging_freq: int = flag(1, "a log line every so many steps")
    eval_freq: int = flag(500, "an evaluation every so many steps, on the same batches each time")
    eval_iters: int = flag(10, "batches of an evaluation; the test at the end takes ten times it")
    hidden_dropout_prob: float = flag(0.1, "dropout of embeddings and residual branches")
    attention_probs_dropout_prob: float = flag(0.1, "dropout of attention probabilities")
    check_accuracy: bool = flag(False, "switch all dropout off, for comparing runs")
    seed: int = flag(1234, "seed of weights, sample order and dropout")
    device: str = flag("gpu", "where to train", choices=("cpu", "gpu", "xpu"))
    dp_degree: int = flag(1, "data parallel processes: 1, or the number that were launched")
    use_sharding: bool = flag(False, "sharded optimizer states (not built yet)")
    sharding_degree: int = flag(1, "sharding processes (only 1 is built)")
    mp_degree: int = flag(1, "tensor parallel processes (only 1 is built)")
    pp_degree: int = flag(1, "pipeline stages (only 1 is built)")
    use_recompute: bool = flag(False, "recompute activations in the backward pass (not built yet)")
    use_amp: bool = flag(False, "mixed precision (not built yet)")
    amp_level: str = flag("O1", "level of mixed precision, with --use_amp", choices=("O1", "O2"))
    scale_loss: float = flag(32768.0, "initial loss scale, with --use_amp")
    enable_addto: bool = flag(False, "in-place gradient addition of static graphs (not built)")
    profiler_options: str | None = flag(None, "profiler settings (not built yet)", short="-p")
    test_file: str | None = flag(None, "prompts completed at each evaluation (not built yet)")

    def __post_init__(self):
        self._refuse_what_is_not_built()
        for name in ("max_seq_len", "micro_batch_size", "max_steps", "save_steps", "logging_freq",
                     "eval_freq", "dp_degree"):
            value = getattr(self, name)
            require(value >= 1, f"--{name} must be at least 1, got {value}")
        for name in ("eval_iters", "weight_decay", "grad_clip", "max_lr", "min_lr", "seed"):
            value = getattr(self, name)
            require(value >= 0, f"--{name} must not be negative, got {value}")
        require(self.seed < 2**32, f"--seed must be below 2^32, got {self.seed}")
        require(self.min_lr <= self.max_lr,
                f"--min_lr {self.min_lr} is above --max_lr {self.max_lr}; the rate must not rise")
        require(0.0 <= self.warmup_rate <= 1.0,
                f"--warmup_rate must lie in [0, 1], got {self.warmup_rate}")
        require(self.decay_steps is None or self.decay_steps >= 0,
                f"--decay_steps must not be negative, got {self.decay_steps}")
        for name in ("adam_beta1", "adam_beta2", "hidden_dropout_prob",
                     "attention_probs_dropout_prob"):
            require(0.0 <= getattr(self, name) < 1.0,
                    f"--{name} must lie in [0, 1), got {getattr(self, name)}")
        require(self.adam_epsilon > 0, f"--adam_epsilon must be positive, got {self.adam_epsilon}")
        require((self.vocab_file is None) == (self.merge_file is None),
                "--vocab_file and --merge_file go together: give both or neither")
        require(self.global_batch_size is None or self.global_batch_size >= 1,
                f"--global_batch_size must be at least 1, got {self.global_batch_size}")
        split_shares(self.split)
        require(self.packing == "windows" or self.data_order == "paddlenlp",
                f"--data_order {self.data_order} orders windows; with --packing {self.packing} "
                "blocks are shuffled, leave it out")
        require(self.packing == "windows" or self.max_seq_len >= 2,
                f"--packing {self.packing} takes its labels from inside of a block: --max_seq_len "
                f"must be at least 2, got {self.max_seq_len}")

    def _refuse_what_is_not_built(self):
        for name in ("sharding_degree", "mp_degree", "pp_degree"):
            if getattr(self, name) != 1:
                raise not_built(f"--{name} {getattr(self, name)}", f"only --{name} 1 works")
        for name in ("use_sharding", "use_recompute", "use_amp", "enable_addto"):
            if getattr(self, name):
                raise not_built(f"--{name}", "leave it out")
        for name in ("profiler_options", "test_file"):
            if getattr(self, name) is not None:
                raise not_built(f"--{name}", "leave it out")
        for name in ("amp_level", "scale_loss"):
            if getattr(self, name) != type(self).__dataclass_fields__[name].default:
                raise not_built(f"--{name} (mixed precision)", "leave it out")

    def accumulation_steps(self, world_size: int) -> int:
        """Micro batches of one process in an optimizer step; ValueError if it does not divide."""
        require(self.dp_degree in (1, world_size),
                f"--dp_degree {self.dp_degree} differs from the {world_size} processes launched")
        per_pass = self.micro_batch_size * world_size
        total = self.global_batch_size or per_pass
        require(total % per_pass == 0,
                f"--global_batch_size {total} is not a multiple of --micro_batch_size "
                f"{self.micro_batch_size} x {world_size} processes")
        return total // per_pass

    def with_dropout(self, model: ModelConfig) -> ModelConfig:
        """The model's configuration with this run's dropout."""
        hidden = 0.0 if self.check_accuracy else self.hidden_dropout_prob
        attention = 0.0 if self.check_accuracy else self.attention_probs_dropout_prob
        return model.with_(embd_pdrop=hidden, resid_pdrop=hidden, attn_pdrop=attention)
