"""Instructions and conversations, the settings by which they are learned, and a model for them."""

from dataclasses import dataclass, replace

import numpy as np

from parity.cases import Case
from parity.cases.text import END, VOCABULARY

CONTROL = ("[INST]", "[/INST]", "<|im_start|>", "<|im_end|>")
POSITIONS = 320
PER_PASS = 2

# (instruction, input, output). Two line feeds are one token, so that the first answer that begins
# with a line feed has other ids when it is encoded together with the header before it.
INSTRUCTIONS = (
    ("return self", "", "\n\nself = 10"),
    ("Is the end for the self?", "a == 10", "The end."),
    ("def add ", "return a + b\n", "  if self:\n\treturn"),
    ("Say é 🙂!", "", "é"),
    (f"What is {END}?", "", f"A text such as {END}, the end"),
    ("for i in (1, 10)", "else", "the self in the def for the return of the end " * 4),
)
# Messages of the user and the assistant in turn; the last conversation ends with the user.
TALKS = (
    ("", ["return self", "The self."]),
    ("Be brief.", ["def a", "def b", "for i in 10", "the end", "== ", "10"]),
    ("", ["if", "the\n\nreturn", "else", "self "]),
    ("Be \n\nlong", ["a", "b", "an end for the self"]),
)
CHATML = ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
          "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
# The end token stands behind the brackets and belongs to the answer all the same.
BRACKETS = ("{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
            "{% endgeneration %}{{ eos_token }}{% else %}[INST]{{ m.content }}[/INST]{% endif %}"
            "{% endfor %}")


@dataclass(frozen=True)
class Setting:
    """style: alpaca, phi3, llama2, chatml, brackets, or prefixes, which is chatml by a template
    without brackets. side: what is cut of an example of more than `most` tokens.
    """

    style: str
    everything: bool
    most: int = POSITIONS
    side: str = "answer"

    @property
    def trained(self) -> bool:
        """Whether loss and gradients are compared; else they are those of the same labels."""
        return self.style in ("alpaca", "phi3", "llama2", "chatml") and self.most == POSITIONS


SETTINGS = {
    f"{style}, {'all' if everything else 'response'}": Setting(style, everything)
    for style in ("alpaca", "phi3", "llama2", "chatml", "brackets", "prefixes")
    for everything in (True, False) if everything <= (style not in ("brackets", "prefixes"))
} | {
    "answers cut": Setting("phi3", False, 80), "prompts cut": Setting("phi3", False, 80, "prompt"),
    "prompts cut away": Setting("alpaca", True, 60, "prompt"),
    "conversations cut": Setting("llama2", False, 24, "prompt"),
    "answers alone": Setting("phi3", False, 12, "prompt"),
    "alpaca cut": Setting("alpaca", True, 170),
}
PACKED = {name: SETTINGS[name] for name in (
    "alpaca, all", "phi3, response", "llama2, response", "answers alone")}


def fitted(case: Case) -> Case:
    """The case with a row for each control token, and more positions than its documents have."""
    rng = np.random.default_rng(33)
    config = case.config.with_(
        vocab_size=len(VOCABULARY) + len(CONTROL), n_positions=POSITIONS,
        eos_token_id=VOCABULARY[END], bos_token_id=VOCABULARY[END])
    weights = dict(case.weights)
    for name, size in (("wte", config.vocab_size), ("wpe", config.n_positions)):
        own = weights[f"transformer.{name}.weight"]
        more = own[rng.integers(0, len(own), size - len(own))]
        more = more * rng.choice([-1.0, 1.0], more.shape).astype(np.float32)
        weights[f"transformer.{name}.weight"] = np.concatenate([own, more])
    return replace(case, config=config, weights=weights).without_dropout()
