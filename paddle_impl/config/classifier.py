"""The shape of a classifier: GPT-2's, and how its head reads the tokens of a text."""

from dataclasses import dataclass, fields

from paddle_impl.config.model import CLASSIFIER, ModelConfig

POOLINGS = ("flexible", "first", "last", "mean")
MODEL_TYPE = "gpt2_classifier"  # in config.json, of classifiers that transformers would compute as
# something else: it has no head with a bias, and reads the last token that is not padding


@dataclass(frozen=True)
class ClassifierConfig(ModelConfig):
    """A classifier's config.json has these fields beside GPT2Config's.

    pooling: which token's output the head reads: flexible, the last that is not padding; first, the
    first such; last, the one at the end of the row, padding or not; mean, the mean of all tokens
    that are not padding. score_bias: the head is rasbt's, a linear layer out_head with a bias, and
    not HF's score without one. max_tokens: texts are cut to so many; None: to the model's
    positions. pad_rows: rows have max_tokens, and their padding is seen as tokens are.
    """

    pooling: str = "flexible"
    score_bias: bool = False
    max_tokens: int | None = None
    pad_rows: bool = False

    def __post_init__(self):
        super().__post_init__()
        expected = {
            "pooling": (self.pooling in POOLINGS, f"one of {', '.join(POOLINGS)}"),
            "score_bias": (type(self.score_bias) is bool, "true or false"),
            "max_tokens": (self.max_tokens is None or type(self.max_tokens) is int
                           and 1 <= self.max_tokens <= self.n_positions,
                           f"a whole number from 1 to n_positions, {self.n_positions}"),
            "pad_rows": (type(self.pad_rows) is bool, "true or false"),
        }
        for name, (holds, words) in expected.items():
            if not holds:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected {words}")
        if self.pad_rows and self.max_tokens is None:
            raise ValueError("pad_rows needs max_tokens, the length of a row")

    @property
    def longest(self) -> int:
        """Tokens of a text that are read at most."""
        return self.max_tokens or self.n_positions

    def to_hf(self, architecture: str = CLASSIFIER) -> dict:
        plain = self.pooling == "flexible" and not self.score_bias
        return super().to_hf(architecture) | ({} if plain else {"model_type": MODEL_TYPE})

    @classmethod
    def from_hf(cls, config: dict) -> "ClassifierConfig":
        own = config.get("model_type") == MODEL_TYPE
        return super().from_hf(config | ({"model_type": "gpt2"} if own else {}))

    @classmethod
    def of(cls, shape: ModelConfig, **changes) -> "ClassifierConfig":
        """The shape of a model, with what makes it a classifier; what is not named is as it was."""
        own = {one.name: getattr(shape, one.name) for one in fields(shape)}
        return cls(**own | changes)


def shape_from_hf(config: dict) -> ModelConfig:
    """From the content of config.json: that of a classifier where it says how tokens are read."""
    return (ClassifierConfig if "pooling" in config else ModelConfig).from_hf(config)
