"""The two programs that pycocoevalcap brings as jars: PTB's tokenizer, and METEOR 1.5.

They get the language, the encoding and the numbers' form of no machine, a time limit, and what
they say on standard error is shown where they fail. No process is left behind.
"""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

NO_JAVA = "needs Java"
MISSING = ("{} is missing: pip install 'paddle-gpt-parity[metrics]', or bash scripts/setup.sh "
           "--extras metrics")
# Seconds of one program. METEOR takes 10 s of one core to start, and 20 s for 4,693 references.
TIME_LIMIT = 1800.0
_LOCALE = ("-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8")
_ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
_PTB = ("-cp", "stanford-corenlp-3.4.1.jar", "edu.stanford.nlp.process.PTBTokenizer",
        "-preserveLines", "-lowerCase")
_METEOR = ("-Xmx2G", "-jar", "meteor-1.5.jar", "-", "-", "-stdio", "-l", "en", "-norm")
# pycocoevalcap leaves these out of what the tokenizer gives.
_PUNCTUATION = frozenset("'' ' `` ` -LRB- -RRB- -LCB- -RCB- . ? ! , : - -- ... ;".split())
# What Java takes for the end of a line, and Python's split by "\n" does not.
_LINE_ENDS = dict.fromkeys(map(ord, "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"), " ")


def found() -> bool:
    """Whether this machine has Java."""
    return shutil.which("java") is not None


def tokenized(texts: Sequence[str], limit: float = TIME_LIMIT) -> list[str]:
    """PTB's words of each text, lower case and without punctuation, with spaces between them."""
    lines = "\n".join(text.translate(_LINE_ENDS) for text in texts)
    try:
        done = subprocess.run(
            ["java", *_LOCALE, *_PTB], cwd=_folder("tokenizer"), env=os.environ | _ENVIRONMENT,
            input=lines.encode(), capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(_late("PTB's tokenizer", limit)) from None
    words = done.stdout.decode().split("\n")
    # The last line has an end only where it is empty.
    if done.returncode or not len(texts) <= len(words) <= len(texts) + 1:
        raise ValueError(f"PTB's tokenizer gave {len(words)} lines for {len(texts)}, exit code "
                         f"{done.returncode}: {done.stderr.decode(errors='replace').strip()}")
    return [" ".join(word for word in line.rstrip().split(" ") if word not in _PUNCTUATION)
            for line, _ in zip(words, texts, strict=False)]


class Meteor:
    """METEOR 1.5 for any number of systems; use as a context manager, which ends the process."""

    def __init__(self, limit: float = TIME_LIMIT):
        self._limit, self._late = limit, False
        self._told = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            ["java", *_LOCALE, *_METEOR], cwd=_folder("meteor"), env=os.environ | _ENVIRONMENT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._told)

    def score(self, outputs: Sequence[str], references: Sequence[Sequence[str]],
              progress: Callable[[Iterable], Iterable] = iter) -> float:
        """METEOR of a whole set, of texts that `tokenized` gave.

        ValueError, with what the program said, where it fails or passes its time limit.
        """
        timer = threading.Timer(self._limit, self._stop)
        timer.start()
        try:
            statistics = [
                self._ask(" ||| ".join(["SCORE", *map(_plain, own), _plain(output)]))
                for output, own in progress(list(zip(outputs, references, strict=True)))]
            self._ask(" ||| ".join(["EVAL", *statistics]))  # that of the first instance
            for _ in statistics[1:]:
                self._answer()
            return float(self._answer())
        except (OSError, ValueError):
            self._process.kill()
            code = self._process.wait()
            self._told.seek(0)
            said = self._told.read().decode(errors="replace").strip()
            raise ValueError(_late("METEOR", self._limit) if self._late else
                             f"METEOR failed with exit code {code}: {said or 'it said nothing'}"
                             ) from None
        finally:
            timer.cancel()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._told.close()

    def __enter__(self) -> "Meteor":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _stop(self) -> None:
        self._late = True
        self._process.kill()

    def _ask(self, line: str) -> str:
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        answer = self._process.stdout.readline().decode().strip()
        if not answer:
            raise ValueError("the program has ended")
        return answer


def _plain(text: str) -> str:
    """Without what separates the parts of a question to METEOR."""
    return text.replace("|||", "").replace("  ", " ")


def _folder(name: str) -> Path:
    """Where pycocoevalcap has a program."""
    spec = find_spec("pycocoevalcap")
    if spec is None:
        raise ValueError(MISSING.format("pycocoevalcap"))
    return Path(next(iter(spec.submodule_search_locations))) / name


def _late(program: str, limit: float) -> str:
    return (f"{program} took longer than {limit:g} seconds and was ended: pass a longer "
            "--java_timeout")
