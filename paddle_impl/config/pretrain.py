"""Flags of run_pretrain.py: PaddleNLP's names and defaults, unless the help says otherwise."""

from dataclasses import dataclass

from paddle_impl.config.model import ModelConfig
from paddle_impl.config.options import flag, require
from paddle_impl.config.pretrain_checks import check

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
    dp_degree: int = flag(1, "data parallel processes beside sharding (1: as many as are left)")
    use_sharding: bool = flag(False, "shard over all data parallel processes, as --sharding_degree")
    sharding_degree: int = flag(1, "processes that hold the optimizer's state once between them")
    sharding_stage: int = flag(
        1, "what is sharded: 1 optimizer state, 2 gradients too, 3 the blocks' weights too",
        choices=(1, 2, 3),
    )
    mp_degree: int = flag(1, "tensor parallel processes: each holds a share of every matrix")
    pp_degree: int = flag(1, "pipeline stages (only 1 is built)")
    use_recompute: bool = flag(False, "recompute each block in the backward pass: less memory")
    use_amp: bool = flag(False, "mixed precision, on a GPU")
    amp_level: str = flag("O1", "with --use_amp: O1 casts operations, O2 the weights, with float32 "
                          "master weights", choices=("O1", "O2"))
    dtype: str | None = flag(None, "with --use_amp: the lower precision (default: float16)",
                             choices=("float16", "bfloat16"))
    scale_loss: float = flag(32768.0, "initial loss scale, with --use_amp and float16")
    enable_addto: bool = flag(False, "in-place gradient addition of static graphs (not built)")
    keep_checkpoints: int = flag(0, "newest checkpoints to keep, older ones are removed (0: all)")
    skip_nonfinite: int = flag(0, "steps of the whole run whose loss or gradient may be NaN or "
                               "infinite: their update is left out; one more stops the run")
    early_stop: int = flag(0, "stop after so many evaluations without a lower valid loss; 0 never")
    report_to: str = flag("visualdl", "where curves go beside metrics.jsonl: visualdl, "
                          "tensorboard, wandb, several with commas, or none")
    peak_tflops: float | None = flag(None, "the device's peak in TFLOP/s, for MFU (default: known "
                                     "for GPUs, measured on a CPU)")
    profiler_options: str | None = flag(
        None, "profile some steps, as in 'batch_range=[10,20]; profile_path=trace'", short="-p")
    test_file: str | None = flag(None, "prompts, one a line, completed at each evaluation")
    decode_strategy: str = flag("sampling", "with --test_file: how tokens are chosen",
                                choices=("sampling", "greedy_search"))
    top_k: int = flag(5, "with --test_file: sample among the k likeliest (0: all)")
    top_p: float = flag(1.0, "with --test_file: sample among the likeliest that sum up to p")
    temperature: float = flag(1.0, "with --test_file: divides the logits before sampling")
    max_dec_len: int = flag(32, "with --test_file: new tokens of a completion at most")

    def __post_init__(self):
        check(self)

    def sharding_processes(self, world_size: int) -> int:
        """--sharding_degree, or for a bare --use_sharding all processes that read own samples."""
        if self.use_sharding and self.sharding_degree == 1:
            return max(1, world_size // self.mp_degree)
        return self.sharding_degree

    def accumulation_steps(self, data_processes: int) -> int:
        """Micro batches of one process in an optimizer step; ValueError if it does not divide.

        data_processes: those that read other samples, the sharding ones among them.
        """
        per_pass = self.micro_batch_size * data_processes
        total = self.global_batch_size or per_pass
        require(total % per_pass == 0,
                f"--global_batch_size {total} is not a multiple of --micro_batch_size "
                f"{self.micro_batch_size} x {data_processes} data parallel processes")
        return total // per_pass

    def precision(self) -> tuple[str | None, str]:
        """(level of mixed precision or None, its type)."""
        return (self.amp_level, self.dtype or "float16") if self.use_amp else (None, "float32")

    def with_dropout(self, model: ModelConfig) -> ModelConfig:
        """The model's configuration with this run's dropout."""
        hidden = 0.0 if self.check_accuracy else self.hidden_dropout_prob
        attention = 0.0 if self.check_accuracy else self.attention_probs_dropout_prob
        return model.with_(embd_pdrop=hidden, resid_pdrop=hidden, attn_pdrop=attention)
