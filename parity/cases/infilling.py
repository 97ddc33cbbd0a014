"""What the rung of fill-in-the-middle encodes: files, and texts so short that parts are empty."""

from pathlib import Path

from parity.cases import text

TOKENS = ("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>")
# name -> (--fim_rate, --fim_spm_rate, --seed)
RATES = {
    "half": (0.5, 0.5, 1234),
    "another seed": (0.5, 0.5, 77),
    "all in PSM": (1.0, 0.0, 5),
    "all in SPM": (1.0, 1.0, 5),
    "most, few in SPM": (0.9, 0.25, 6),
}
DOCUMENTS = text.DOCUMENTS | {
    "i_control.py": "a = '<fim_prefix>' + '<fim_suffix>' + '<fim_middle>'  # text, not tokens\n",
    "j_words.py": "if self == the: return self\nfor i in self: return i\n" * 3,
}
SHORT = ("ab", "中é", "i", "def self", "\r\n ", "    return")
SEEDS = range(30)  # of each short text


def write_documents(directory: Path) -> None:
    for name, content in DOCUMENTS.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode("utf-8"))
