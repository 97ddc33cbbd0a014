"""The input of a pretraining run: its datasets, their tokenizer, and the loaders of batches."""

from pathlib import Path

from data_tools.splits import split_bounds
from data_tools.tokenizing.any_tokenizer import end_of
from data_tools.tokenizing.bpe_files import find_files
from data_tools.tokenizing.chinese_tokenizer import find_model
from data_tools.tokenizing.tokenizer import AnyTokenizer, Tokenizer, load_tokenizer
from paddle_impl.config.model import ModelConfig, ModelOptions
from paddle_impl.config.options import require, split_shares
from paddle_impl.config.pretrain import PretrainConfig
from paddle_impl.data.blend import split_dataset
from paddle_impl.data.index_files import main_first
from paddle_impl.data.loader import PretrainLoader
from paddle_impl.data.pretrain import has_samples
from paddle_impl.data.sources import Datasets, check_ids, check_tokenizer, open_datasets
from paddle_impl.parallel.ranks import Ranks

TEST_ITERS = 10  # the test at the end reads TEST_ITERS x eval_iters batches, as in PaddleNLP


class PretrainingData:
    """The opened and checked data of a run. warnings: lines to show the user.

    end_token: set by `fit`, the id that ends documents; None where nothing tells it.
    """

    end_token: int | None

    def __init__(self, config: PretrainConfig, ranks: Ranks):
        self.config, self.ranks = config, ranks
        self.accumulation = config.data.accumulation_steps(ranks.data.size)
        self.global_batch_size = self.accumulation * config.data.micro_batch_size * ranks.data.size
        self.data = open_datasets(config.data.input_dir)
        self.tokenizer = find_tokenizer(config.model, self.data)
        self.warnings: list[str] = []
        if self.tokenizer is None:
            self.warnings.append("the data has no tokenizer beside it, so checkpoints get none; "
                                 "name it with --vocab_file and --merge_file")

    def fit(self, shape: ModelConfig, keeps_ends: bool = False) -> ModelConfig:
        """The model's configuration with the run's dropout, and with the data's end token.

        keeps_ends: leave end tokens as the shape declares them, for a model with the data's
        tokenizer. ValueError where the model has too few positions or tokens.
        """
        length = self.config.data.max_seq_len
        require(length <= shape.n_positions,
                f"--max_seq_len {length} is beyond the model's {shape.n_positions} positions")
        for tokens in self.data.tokens:
            check_ids(tokens, shape.vocab_size)
        eos = self.data.eos_token_id
        if self.tokenizer is not None:
            own = end_of(self.tokenizer)
            require(eos is None or own in (None, eos),
                    f"documents of {self.data} end in token {eos}, the tokenizer's end is {own}")
            eos = own if eos is None else eos
        if eos is None and self.tokenizer is None:
            eos = next(iter(shape.end_tokens), None)
        elif not (keeps_ends and any(one < shape.vocab_size for one in shape.end_tokens)):
            shape = shape.with_(eos_token_id=eos, bos_token_id=eos, generation_config=None)
        elif eos not in (None, *shape.end_tokens):
            self.warnings.append(f"documents end in token {eos}, which is no end token of the "
                                 f"model: its continuations end in {list(shape.end_tokens)}")
        self.end_token = eos
        return self.config.training.with_dropout(shape)

    def check_tokenizer_of(self, source: Path) -> None:
        """ValueError if the checkpoint directory has another tokenizer than the data."""
        if not (find_files(source) or find_model(source)):
            return
        try:
            tokenizer = load_tokenizer(source)
            for tokens in self.data.tokens:
                check_tokenizer(tokens, tokenizer, f"that of {source}", self.tokenizer)
        except ValueError as error:
            raise ValueError(f"{error}; make the data with --tokenizer {source}, or pass "
                             "--allow_other_tokenizer if it is meant") from None

    def identity(self) -> dict:
        """What a resumed run compares: the digest of each dataset's ids (None if unknown), and the
        end token.
        """
        digests = [(tokens.meta or {}).get("ids_sha256") for tokens in self.data.tokens]
        return {"ids_sha256": digests, "eos_token_id": self.data.eos_token_id}

    def loaders(self, model: ModelConfig) -> dict[str, PretrainLoader | None]:
        """One loader a split, None if the split is empty. The first process of each machine builds
        the index files.
        """
        with main_first(self.ranks):
            return self._loaders(model)

    def _loaders(self, model: ModelConfig) -> dict[str, PretrainLoader | None]:
        config, options, data = self.config, self.config.data, self.ranks.data
        batch = options.micro_batch_size * data.size
        wanted = {
            "train": self.global_batch_size * config.training.max_steps,
            # Each evaluation reads the same samples, so that they do not depend on the length of
            # the run. PaddleNLP reads other samples at each evaluation.
            "valid": batch * config.validation.eval_iters,
            "test": batch * TEST_ITERS * config.validation.eval_iters,
        }
        shares = split_shares(options.split)
        for tokens in self.data.tokens:
            bounds = split_bounds(shares, len(tokens))
            require(has_samples(tokens, "train", bounds, options.packing, options.max_seq_len),
                    f"{tokens.prefix} has no document for training: --split {options.split} of "
                    f"{len(tokens)} documents, --packing {options.packing}")
        loaders: dict[str, PretrainLoader | None] = {}
        for split, samples in wanted.items():
            dataset = split_dataset(
                self.data, split, shares, seq_length=options.max_seq_len, num_samples=samples,
                seed=config.runtime.seed, order=options.data_order, packing=options.packing,
                pad_id=self.end_token or 0, notes=self.warnings,
            ) if samples else None
            if dataset is None:
                loaders[split] = None
                if samples:
                    self.warnings.append(f"the {split} split is empty, its loss is not measured")
                continue
            loaders[split] = PretrainLoader(
                dataset, options.micro_batch_size, self.end_token,
                self.accumulation if split == "train" else 1, data.rank, data.size,
                model.vocab_size,
            )
        return loaders


def find_tokenizer(options: ModelOptions, data: Datasets) -> AnyTokenizer | None:
    """The tokenizer that the flags name, else the one beside the data, else None.

    ValueError if it is not the one that the datasets were made with.
    """
    beside = [path for tokens in data.tokens
              if (path := Path(f"{tokens.prefix}_tokenizer")).is_dir()]
    if options.vocab_file is not None:
        tokenizer = Tokenizer.from_vocab_and_merges(options.vocab_file, options.merge_file)
    elif beside:
        tokenizer = load_tokenizer(beside[0])
    else:
        return None
    for tokens in data.tokens:
        check_tokenizer(tokens, tokenizer)
    return tokenizer
