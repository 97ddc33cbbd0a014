"""Flags of run_finetune.py --task classify: names and defaults of Raschka's chapter 6, beside ours.
"""

from dataclasses import dataclass, replace

from paddle_impl.config.checkpoint import CheckpointOptions
from paddle_impl.config.classify import TextsOptions
from paddle_impl.config.finetune import ExamplesOptions, TaskConfig
from paddle_impl.config.model import ModelOptions
from paddle_impl.config.optimizer import OptimizerOptions
from paddle_impl.config.options import Options, changed, flag, group, not_built, require
from paddle_impl.config.runtime import RuntimeOptions
from paddle_impl.config.schedule import ScheduleOptions
from paddle_impl.config.training import TrainingOptions
from paddle_impl.config.validation import ValidationOptions

LAYERS = ("all", "last_block", "last_two_blocks", "last_layer", "lora")
BALANCES = ("none", "undersample", "weights")
LONGEST, MODEL = "longest_training_example", "model_context_length"


@dataclass(frozen=True, kw_only=True)
class ClassifierOptions(Options):
    """Flags of a classifier and of how it is trained."""

    valid_texts: str = flag(help="the same, held out")
    test_texts: str | None = flag(None, "the same, measured once at the end")
    balance: str = flag(
        "none", "what makes up for labels that are rare among --train_texts: nothing; undersample, "
        "as many texts of each as of the rarest, by --seed; or weights of the loss, texts / "
        "(labels x texts of the label)", choices=BALANCES)
    trainable_layers: str | None = flag(
        None, "what is trained beside the head: all; the last block or the last two, with the last "
        "LayerNorm; nothing (last_layer); or lora, an adapter of --lora_dim (default: last_block, "
        "with --lora_dim lora)", choices=LAYERS)
    trainable_token_pos: str = flag(
        "flexible", "the token whose output the head reads: flexible, the last of the text; first; "
        "or last, at the end of the row, whose padding is then seen as tokens are",
        choices=("flexible", "first", "last"))
    average_embeddings: bool = flag(False, "let the head read the mean of all tokens of the text")
    context_length: str = flag(
        LONGEST, "tokens of a text at most, the others are cut off at its end: "
        f"{LONGEST}, {MODEL}, or a number")
    no_padding: bool = flag(False, "rows as long as their texts, of which each batch then has one")
    score_bias: bool = flag(False, "a head with a bias, as Raschka's; transformers, whose head has "
                            "none, does not open such a checkpoint")
    disable_causal_mask: bool = flag(False, "let tokens see later ones (not built)")

    def __post_init__(self):
        require(not self.average_embeddings or self.trainable_token_pos == "flexible",
                f"--average_embeddings reads all tokens: leave --trainable_token_pos "
                f"{self.trainable_token_pos} out")
        self.context  # noqa: B018  checks its flag
        if self.disable_causal_mask:
            raise not_built("--disable_causal_mask", "leave it out")

    @property
    def pooling(self) -> str:
        """The name that ClassifierConfig has for it."""
        return "mean" if self.average_embeddings else self.trainable_token_pos

    @property
    def context(self) -> str | int:
        """LONGEST, MODEL or a number of tokens."""
        if self.context_length in (LONGEST, MODEL):
            return self.context_length
        require(self.context_length.isdecimal() and int(self.context_length) > 0,
                f"--context_length takes {LONGEST}, {MODEL} or a number of tokens, got "
                f"{self.context_length!r}")
        return int(self.context_length)


@dataclass(frozen=True, kw_only=True)
class ClassifyConfig(TaskConfig):
    """The groups of every training run, and the classifier."""

    model: ModelOptions = group(
        ModelOptions, model_type=changed("gpt2"),
        model_name_or_path=changed(
            None, "a checkpoint directory; or a registry name or a config.json without weights, "
            "which trains from scratch with the tokenizer of --vocab_file"),
        vocab_file=changed(help="vocab.json, where the weights have no tokenizer"))
    checkpoint: CheckpointOptions = group(CheckpointOptions, keep_best=True, keep_checkpoints=1)
    training: TrainingOptions = group(
        TrainingOptions, only=("hidden_dropout_prob", "attention_probs_dropout_prob",
                               "skip_nonfinite"),
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    optimizer: OptimizerOptions = group(OptimizerOptions, weight_decay=0.1)
    schedule: ScheduleOptions = group(
        ScheduleOptions, scheduler="constant",
        max_lr=changed(5e-5, aliases=("--lr", "--learning_rate")))
    runtime: RuntimeOptions = group(
        RuntimeOptions, device=changed(help="where to train"),
        seed=changed(123, "seed of weights, sample order and dropout"))
    validation: ValidationOptions = group(
        ValidationOptions, only=("eval_freq", "early_stop", "metric_for_best_model"),
        eval_iters=10**9, metric_for_best_model=changed(
            "accuracy", "what decides for --early_stop and --keep_best: accuracy, macro_f1 or "
            "loss of --valid_texts"),
        eval_freq=changed(50, "an evaluation on all of --valid_texts every so many optimizer "
                          "steps, and one at the end"))
    examples: ExamplesOptions = group(
        ExamplesOptions, only=("per_gpu_train_batch_size", "dev_batch_size", "accumulation_steps",
                               "num_epochs_train"),
        per_gpu_train_batch_size=changed(8, "texts in one forward pass of one process",
                                         aliases=("--batch_size",)),
        dev_batch_size=changed(help="texts in one forward pass of an evaluation"),
        accumulation_steps=1,
        num_epochs_train=changed(5, "times that each text is seen", aliases=("--num_epochs",)))
    texts: TextsOptions = group(TextsOptions)
    classifier: ClassifierOptions = group(ClassifierOptions)

    def __post_init__(self):
        super().__post_init__()
        require(self.texts.train_texts is not None, "--train_texts is required: a file of texts "
                "with labels, as python -m data_tools.create_classification_data makes it")
        layers, lora = self.classifier.trainable_layers, self.lora.lora_dim
        require(layers != "lora" or lora > 0,
                "--trainable_layers lora needs a rank: --lora_dim 8")
        require(layers in (None, "lora") or not lora,
                f"--lora_dim {lora} trains an adapter: leave --trainable_layers {layers} out")
        sizes = self.examples.per_gpu_train_batch_size, self.examples.dev_batch_size
        require(not self.classifier.no_padding or sizes == (1, 1),
                "--no_padding takes batches of one text: --batch_size 1 --dev_batch_size 1 (and "
                "--accumulation_steps 8 for steps of 8 texts)")

    @property
    def trained(self) -> str:
        """One of LAYERS."""
        return self.classifier.trainable_layers or ("lora" if self.lora.lora_dim else "last_block")

    @property
    def pad_rows(self) -> bool:
        """Whether rows are padded to one length with tokens that are seen, as in the book."""
        return self.classifier.pooling == "last" and not self.classifier.no_padding

    def of_length(self, steps_per_epoch: int) -> "ClassifyConfig":
        """The flags with the number of steps."""
        steps = steps_per_epoch * self.examples.num_epochs_train
        return replace(
            self, training=replace(self.training, max_steps=steps),
            validation=replace(self.validation, eval_freq=min(self.validation.eval_freq, steps)))
