"""Instruction tuning: a model learns to answer, from instructions or conversations."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from paddle import nn

from data_tools.instructions.encoding import Encoder
from data_tools.instructions.examples import InstructionExamples, Record, in_file_order
from data_tools.instructions.records import read_instructions
from data_tools.instructions.rows import PackedRows
from data_tools.instructions.templates import template_of
from data_tools.tokenizing.tokenizer import AnyTokenizer, load_tokenizer
from paddle_impl.config.finetune_sft import SFTConfig
from paddle_impl.config.model import ModelConfig, is_user_class
from paddle_impl.config.options import require, split_shares
from paddle_impl.data.supervised import SupervisedLoader
from paddle_impl.finetuning import responses
from paddle_impl.finetuning.batches import InstructionLoader
from paddle_impl.finetuning.examples import ExamplesTask
from paddle_impl.finetuning.response_loss import WITH_RESPONSE_LOSS
from paddle_impl.finetuning.responses import Responder
from paddle_impl.optim.legacy_schedules import schedule_of
from paddle_impl.parallel.ranks import Ranks
from paddle_impl.parallel.tensor import Parts
from paddle_impl.text.opening import base_and_adapter, open_tokenizer
from paddle_impl.training.adapting import FACT as ADAPTER
from paddle_impl.training.resume import Fact, find_start
from paddle_impl.training.shapes import shape_of

MAX_SEQ_LENGTH = 1024
NAMED = 5  # records of which the log names why they are left out


class SFT(ExamplesTask):
    """Learn the texts of records, or their responses alone.

    The data are split in the order of the file. At the end the test part is measured, and the
    responses to its prompts are written beside the checkpoints.
    """

    name = "sft"
    measures = MappingProxyType({"loss": False, "perplexity": False, "response_loss": False})
    over_tokens = True
    objective = WITH_RESPONSE_LOSS
    facts = (
        Fact("examples", "data.train_sha256", "pass the same --data, --split, --prompt_style, "
             "--chat_template, --loss_on, --truncate, --max_seq_length and --packing"),
        Fact("order key", "order_key", "--group_by_length must be as it was", implied=True),
        Fact("tokenizer", "tokenizer", "pass the same --tokenizer and --add_tokens"),
        Fact("global batch size", "global_batch_size", "{moved}it was {was}: processes x "
             "--per_gpu_train_batch_size x --accumulation_steps"),
        ADAPTER,
    )

    def __init__(self, config: SFTConfig, ranks: Ranks):
        super().__init__(config, ranks)
        options = config.instructions
        self.config = config
        self.dropped: list[str] = []  # what the checkpoints tell of it, without folders
        start = find_start(config.model, replace(config.checkpoint, resume=False))
        tokenizer = _tokenizer(options.tokenizer, start.source)
        if options.add_tokens:
            tokenizer = tokenizer.with_added_tokens(options.add_tokens)
            self._train_rows([tokenizer.special_tokens[one] for one in options.add_tokens])
        self.encoder = Encoder(tokenizer, options.prompt_style,
                               options.chat_template and template_of(options.chat_template))
        self.tokenizer = tokenizer
        self._keep_template()
        shape = shape_of(start, config.model.model_name_or_path, config.architecture)
        self.max_seq_length = config.examples.max_seq_length or min(
            MAX_SEQ_LENGTH, shape.n_positions)
        train, self.test_records, self.valid_records = self._read()
        packed = config.parts.packing == "segments"
        whole = self._examples("training", train)
        self.examples = len(whole)
        require(self.examples > 0, f"{options.data} leaves nothing to train on: all "
                f"{len(train)} records of the training part are left out")
        self.records = {
            "train": PackedRows(whole, self.max_seq_length + 1) if packed else whole,
            "valid": self._examples("validation", self.valid_records)}
        self._open(self._examples("test", self.test_records))
        self.responder = Responder(self.encoder, config.decoding, config.runtime.seed, ranks)
        self.has_texts = bool(options.samples and (self.valid_records or self.test_records))

    def _train_rows(self, tokens: list[int]) -> None:
        """With LoRA too: the weights may have rows to spare, which are not new."""
        if self.adapter is not None and self.config.lora.lora_tokens is None:
            self.adapter.options = replace(self.config.lora, lora_tokens=[*map(str, tokens)])

    def _read(self) -> tuple[Sequence[Record], Sequence[Record], Sequence[Record]]:
        """The records for training, for the test and for validation."""
        options, valid = self.config.instructions, self.config.held_out.valid_data
        records = read_instructions(options.data)
        if valid is None:
            return in_file_order(records, split_shares(self.config.parts.split))
        test = read_instructions(options.test_data) if options.test_data else []
        return records, test, read_instructions(valid)

    def _examples(self, part: str, records: Sequence[Record]) -> InstructionExamples:
        """The examples of a part, with what the user should know of them."""
        options = self.config.instructions
        found = InstructionExamples(
            records, self.encoder, self.max_seq_length, side=options.truncate,
            all_tokens=options.loss_on == "all")
        if found.dropped:
            count = f"{len(found.dropped)} of {len(records)} records of the {part} part: "
            self.events.append(("dropped", count + _some(found.dropped)))
            self.dropped.append(count + _some([Path(one).name for one in found.dropped]))
        if found.cut:
            self.events.append(("cut", f"{found.cut} of {len(records)} records of the {part} part "
                                f"have more than {self.max_seq_length} tokens: they lose the "
                                f"{'end' if options.truncate == 'answer' else 'start'} (--truncate "
                                f"{options.truncate})"))
        if found.control_tokens:
            self.warnings.append(f"{found.control_tokens} records of the {part} part hold the text "
                                 "of a control token, which becomes the token")
        return found

    def _open(self, test: InstructionExamples) -> None:
        config, data = self.config, self.ranks.data
        options = config.examples
        share = {"pad_id": self.tokenizer.eos_token_id, "rank": data.rank, "world_size": data.size}
        self.loaders: dict[str, SupervisedLoader | None] = {"train": InstructionLoader(
            self.records["train"], options.per_gpu_train_batch_size, seed=config.runtime.seed,
            accumulation_steps=options.accumulation_steps,
            group_by_length=config.instructions.group_by_length and config.parts.packing == "none",
            **share)}
        for split, examples in (("valid", self.records["valid"]), ("test", test)):
            self.loaders[split] = InstructionLoader(examples, options.dev_batch_size, **share) \
                if len(examples) else None
        self.samples_per_step = (options.per_gpu_train_batch_size * options.accumulation_steps
                                 * data.size)
        self.sample_tokens = round(float(self.records["train"].inputs.mean()))
        self.step_tokens = self.samples_per_step * self.sample_tokens

    def _keep_template(self) -> None:
        """Checkpoints hold the template, by which the server writes prompts."""
        self.tokenizer.chat_template = self.encoder.template

    def complete(self, config: SFTConfig) -> SFTConfig:
        self.config = config.of_length(self.steps_per_epoch)
        self.check_eval_freq("--eval_freq", config.validation.eval_freq)
        self.schedule = schedule_of(self.config.schedule, self.config.training.max_steps)
        return self.config

    def start_from(self, source: Path) -> None:
        super().start_from(source)
        self._keep_template()

    def fit(self, shape: ModelConfig) -> ModelConfig:
        """The shape with rows for added tokens, the tokens that end an answer, and the dropout."""
        shape = super().fit(shape)
        require(self.max_seq_length <= shape.n_positions,
                f"--max_seq_length {self.max_seq_length} is beyond the model's "
                f"{shape.n_positions} positions")
        control = {*self.tokenizer.special_tokens.values()}
        if not self.encoder.ends <= control:
            self.warnings.append("not every answer ends with a control token, so the model does "
                                 "not learn where to stop: let the chat template write eos_token "
                                 "behind an answer")
        ends = tuple(sorted(self.encoder.ends & control))
        if not {*ends} <= {*shape.end_tokens}:
            shape = shape.with_(generation_config=None,
                                eos_token_id=ends if len(ends) > 1 else ends[0])
        return self.config.training.with_dropout(shape)

    def build(self, shape: ModelConfig, parts: Parts) -> nn.Layer:
        if not self._answers:
            self.warnings.append("no answers are written: that needs GPT-2's own layers, and whole "
                                 "weights in a process")
        return super().build(shape, parts)

    @property
    def _answers(self) -> bool:
        """Whether a process can generate with the model while it is trained."""
        return not is_user_class(self.architecture) \
            and self.config.parallel.sharding_stage != 3

    def data(self) -> dict[str, Any]:
        return super().data() | {"dropped": self.dropped}

    def settings(self) -> dict[str, Any]:
        training, options = self.config.training, self.config.examples
        return self.schedule.settings | {
            "per_gpu_train_batch_size": options.per_gpu_train_batch_size,
            "hidden_dropout_prob": training.hidden_dropout_prob,
            "attention_probs_dropout_prob": training.attention_probs_dropout_prob,
            "check_accuracy": training.check_accuracy}

    def order_key(self) -> str:
        return f"grouped by length: {self.loaders['train'].group_by_length}"

    def describe(self) -> str:
        train = self.records["train"]
        rows = f" in {len(train):,} rows" if isinstance(train, PackedRows) else ""
        options = self.config.instructions
        return (f"{self.examples:,} examples{rows} of style {options.prompt_style}, loss on "
                f"{options.loss_on}; {len(self.records['valid']):,} held out, "
                f"{len(self.test_records):,} for the test; {self.config.training.max_steps:,} "
                f"steps of {self.steps_per_epoch:,} an epoch{self.adapted}")

    def texts(self, model: nn.Layer, step: int) -> list[tuple[str, str]]:
        """Answers to the first held-out records, at the first evaluation after each epoch."""
        every, epoch = self.config.validation.eval_freq, self.steps_per_epoch
        before = (step - 1) // every * every
        if step // epoch == before // epoch or not self._answers:
            return []
        records = (self.valid_records or self.test_records)[: self.config.instructions.samples]
        found = self.responder.answer(model, records, step) or []
        return [(self.tokenizer.decode(prompt), text) for prompt, text in found]

    def evaluate(self, model, objective, split, batches) -> dict[str, float]:
        found = super().evaluate(model, objective, split, batches)
        if split == "test" and self._answers:  # once, at the end of the run
            answers = self.responder.answer(model, self.test_records,
                                            self.config.training.max_steps)
            if self.ranks.is_main:
                responses.write(Path(self.config.checkpoint.output_dir) / responses.FILE,
                                self.test_records, [text for _, text in answers])
            self.ranks.barrier()
        return found


def _some(told: list[str]) -> str:
    more = len(told) - NAMED
    return "; ".join(told[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def _tokenizer(folder: str | None, source: Path | None) -> AnyTokenizer:
    if folder is not None:
        return load_tokenizer(folder)
    require(source is not None, "a new model needs --tokenizer, the folder of its tokenizer")
    try:
        return open_tokenizer(*base_and_adapter(str(source), None))
    except ValueError as error:
        raise ValueError(f"{error}; name one with --tokenizer") from None
