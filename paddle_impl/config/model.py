"""The shape of a model: Hugging Face's GPT2Config names."""

import math
from dataclasses import dataclass, field, fields, replace

from data_tools.json_fields import (
    SCALAR,
    TRUTH,
    Field,
    check,
    either,
    list_of,
    optional,
    shown,
    text,
    whole,
)
from data_tools.json_fields import number as number_from
from paddle_impl.config.options import Options, flag, require

MODEL_TYPES = ("gpt", "gpt2", "gpt2-en", "gpt2-cn")
# The values that this implementation supports. A config.json with others is refused: its weights
# would load without an error, but the model would compute another function.
_FIXED_HF_OPTIONS = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "reorder_and_upcast_attn": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}


# The keys of config.json that are read, and what each of them may hold.
HF_FIELDS: dict[str, Field] = {
    **dict.fromkeys(("n_layer", "n_embd", "n_head", "vocab_size", "n_positions"), whole(1)),
    "n_inner": optional(whole(1)),
    **dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), number_from(0, 1)),
    "layer_norm_epsilon": number_from(0, 1),
    "initializer_range": number_from(0),
    **dict.fromkeys(("bos_token_id", "pad_token_id"), optional(whole())),
    "eos_token_id": optional(either(whole(), list_of(whole()))),
    "architectures": optional(list_of(text())),
    "num_labels": optional(whole(1, 1 << 20)),
    "scale_attn_by_inverse_layer_idx": TRUTH,
}

# The classes of transformers that this implementation supports, as config.json names them.
LANGUAGE_MODEL, CLASSIFIER = "GPT2LMHeadModel", "GPT2ForSequenceClassification"
USER_MODEL = "user_class"  # model_type of models that transformers must not open as GPT-2
_NOT_IN_HF = {"labels", "generation_config"}  # fields that are no entry of config.json


@dataclass(frozen=True)
class ModelConfig:
    """GPT-2: pre-LayerNorm, tanh GELU, learned positions, tied head, biases everywhere.

    Field names and meanings are those of transformers.GPT2Config. eos_token_id: one or several. Of
    a model without a checkpoint it is set from the data, since it differs between vocabularies of
    the same size. scale_attn_by_inverse_layer_idx: divide the attention scores of each block by its
    number, from 1. labels: of a classifier, in the order of its logits (HF's `id2label`).
    generation_config: the content of generation_config.json, which lies beside config.json; None
    without that file. ValueError for an invalid value.
    """

    n_layer: int
    n_embd: int
    n_head: int
    vocab_size: int
    n_positions: int = 1024
    n_inner: int | None = None
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    resid_pdrop: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    bos_token_id: int | None = 50256
    eos_token_id: int | tuple[int, ...] | None = 50256
    pad_token_id: int | None = None
    scale_attn_by_inverse_layer_idx: bool = False
    labels: tuple[str, ...] = ()
    generation_config: dict | None = field(default=None, hash=False)

    def __post_init__(self):
        for name in ("n_layer", "n_embd", "n_head", "vocab_size", "n_positions"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd {self.n_embd} is not a multiple of n_head {self.n_head}")
        for name in ("embd_pdrop", "attn_pdrop", "resid_pdrop"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        for told in (self.eos_token_id, self._generation_end()):
            if not all(type(token) is int for token in _ids(told)):
                raise ValueError(f"eos_token_id must be an id or a list of ids, got {told!r}")

    @property
    def inner(self) -> int:
        """Width of the MLP: n_inner, or 4 * n_embd as in GPT2Config."""
        return self.n_inner or 4 * self.n_embd

    def attention_scale(self, layer: int) -> float:
        """The factor of the attention scores of block `layer`, counted from 0."""
        scale = 1.0 / math.sqrt(self.n_embd // self.n_head)
        return scale / (layer + 1) if self.scale_attn_by_inverse_layer_idx else scale

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """The end tokens that a checkpoint declares: those of generation_config.json, else those of
        config.json, as in transformers' generate.
        """
        told = self._generation_end()
        return _ids(self.eos_token_id if told is None else told)

    def _generation_end(self):
        return (self.generation_config or {}).get("eos_token_id")

    def num_parameters(self) -> int:
        """The number of trainable numbers; the tied head is counted once."""
        d, f = self.n_embd, self.inner
        block = 2 * 2 * d + (3 * d * d + 3 * d) + (d * d + d) + (d * f + f) + (f * d + d)
        return (self.vocab_size + self.n_positions) * d + self.n_layer * block + 2 * d

    def to_hf(self, architecture: str = LANGUAGE_MODEL) -> dict:
        """The content of config.json. architecture: the class with which transformers opens it, or
        a user's class, which it refuses.
        """
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NOT_IN_HF}
        own |= {"n_inner": self.inner}  # PaddleNLP does not take null
        fixed = {name: allowed[0] for name, allowed in _FIXED_HF_OPTIONS.items()}
        labels = {
            "id2label": {str(number): label for number, label in enumerate(self.labels)},
            "label2id": {label: number for number, label in enumerate(self.labels)},
        }
        return {
            "model_type": USER_MODEL if is_user_class(architecture) else "gpt2",
            "architectures": [architecture],
            "n_ctx": self.n_positions,
            "use_cache": True,
            **fixed,
            **own,
            **(labels if self.labels else {}),
        }

    @classmethod
    def from_hf(cls, config: dict) -> "ModelConfig":
        """From the content of config.json; ValueError if it needs an unsupported computation."""
        if (family := config.get("model_type")) not in ("gpt2", USER_MODEL):
            raise ValueError(f"model_type in config.json is {shown(family)}, not 'gpt2'")
        for name, allowed in _FIXED_HF_OPTIONS.items():
            if config.get(name, allowed[0]) not in allowed:
                raise ValueError(
                    f"config.json sets {name}={shown(config[name])}; supported: {allowed}")
        required = {"n_layer", "n_embd", "n_head", "vocab_size"}
        if missing := sorted(required - config.keys()):
            raise ValueError(f"config.json lacks {', '.join(missing)}")
        check(config, HF_FIELDS)
        known = {f.name for f in fields(cls)} - _NOT_IN_HF
        labels = _labels(config) if CLASSIFIER in (config.get("architectures") or ()) else ()
        own = {name: value for name, value in config.items() if name in known}
        if own.get("n_inner") == 4 * own["n_embd"]:
            del own["n_inner"]  # the default, written out
        if isinstance(ends := own.get("eos_token_id"), list):
            own["eos_token_id"] = tuple(ends)
        return cls(**own, labels=labels)

    def with_(self, **changes) -> "ModelConfig":
        return replace(self, **changes)


def is_user_class(architecture: str) -> bool:
    """Whether it names a class of --model_class, as module:Class, and not one of transformers."""
    return ":" in architecture


def _ids(told) -> tuple:
    """No id, one id or several, as config.json may hold them, as a tuple."""
    if isinstance(told, (list, tuple)):
        return tuple(told)
    return () if told is None else (told,)


def _labels(config: dict) -> tuple[str, ...]:
    """A classifier's labels from config.json. HF writes none for two labels with default names."""
    named = config.get("id2label")
    if named is None:
        return tuple(f"LABEL_{number}" for number in range(config.get("num_labels") or 2))
    numbers = [str(number) for number in range(len(named))] if isinstance(named, dict) else None
    if not named or numbers is None or named.keys() != set(numbers):
        raise ValueError(
            f"config.json's id2label does not number its labels from 0: {shown(named)}")
    check(named, dict.fromkeys(numbers, SCALAR), inside="id2label")
    return tuple(str(named[number]) for number in numbers)


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Options):
    """Flags of the model and of its tokenizer."""

    model_type: str = flag(help="family of the model", choices=MODEL_TYPES)
    model_name_or_path: str | None = flag(help="a checkpoint directory")
    vocab_file: str | None = flag(None, "vocab.json, where the checkpoint has no tokenizer")
    merge_file: str | None = flag(None, "merges.txt that belongs to --vocab_file")

    def __post_init__(self):
        require((self.vocab_file is None) == (self.merge_file is None),
                "--vocab_file and --merge_file go together: give both or neither")
