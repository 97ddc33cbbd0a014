"""X_partial/: the files of an unfinished run; the next run with the same plan continues it.

    plan.json      everything that decides the output; a run with another plan begins anew
    tokenizer/     where one was trained
    ids.npy, lens  the ids and the lengths of documents, as token_files/streams.py writes them
    skipped.jsonl  name and reason of each text left out
    memory.0 ...   the texts that each filter for duplicates knows
    state.json     how long each of these was at the last checkpoint, with a checksum, and what had
                   been read; it carries a checksum of itself

The streams grow beyond the last checkpoint, and are cut back to it when a run continues. A folder
in which something else has changed is not continued.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from re import fullmatch

from data_tools.files import target_of
from data_tools.json_fields import HASH, read_object
from data_tools.preparing.batches import Batch
from data_tools.token_files.streams import Stream, TokenStreams, put_in_place, write_json
from data_tools.token_files.token_file import TokenFile

OUR_NAMES = (r"((plan|state|meta)\.json|ids\.npy|idx\.npz|lens|skipped\.jsonl|memory\.\d+|tokenizer"
             r"|old_tokenizer)(\.tmp)?")  # .tmp: temporaries of earlier versions


class PartialRun:
    """Context manager around the folder; one process at a time.

    After entering, `finished` is true if an earlier run with this plan had written everything: its
    files are now in place. `state` is None if the run begins at the start. After an exception the
    folder stays if a run can continue from it; else it is removed.
    """

    def __init__(self, prefix: str, plan: dict):
        self.prefix, self.plan = prefix, plan
        self.folder = Path(f"{prefix}_partial")
        self.state: dict | None = None
        self.finished = False

    def __enter__(self) -> PartialRun:
        self._made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        self._check_ours()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock()
        with self._remedy():
            earlier, state = self._read_earlier()
        same = earlier == self.plan
        if (self.folder / "meta.json").exists():
            with self._remedy():
                put_in_place(self.folder, self.prefix)
            self.finished = same
            if self.finished:
                TokenFile.open(self.prefix)
                return self
            self.folder.mkdir()
            self._lock()
        elif same:
            self.state = state
        if not same:
            self._begin_anew(earlier, state)
            write_json(self.folder / "plan.json", self.plan)
        return self

    @property
    def tokenizer_folder(self) -> Path:
        return self.folder / "tokenizer"

    def open_streams(self, tokenizer, memories: list) -> None:
        """Cut all files back to the last checkpoint; the filters learn again what they knew."""
        marks, self._tokenizer = self.state["marks"] if self.state else {}, tokenizer
        with self._remedy():
            if self.state and self.state["tokenizer"] != tokenizer.fingerprint():
                raise ValueError(f"{self.tokenizer_folder} is not the stopped run's tokenizer")
            self.tokens = TokenStreams(self.folder, tokenizer.vocab_size, marks.get("tokens"))
            self._skipped = Stream(self.folder / "skipped.jsonl", marks.get("skipped"))
            self._memories = []
            for number, memory in enumerate(memories):
                path = self.folder / f"memory.{number}"
                self._memories.append(Stream(path, marks.get(path.name)))
                memory.restore(path.read_bytes())

    def log(self, batch: Batch) -> None:
        """Append the names of a batch's skipped texts, and what the filters learnt from it."""
        self._skipped.write(batch.skipped_log())
        for stream, learnt in zip(self._memories, batch.learnt, strict=True):
            stream.write(learnt)

    def checkpoint(self, position: tuple[int, int], reports: dict) -> None:
        """Sync all files and write state.json: a killed run continues from here."""
        marks = {"tokens": self.tokens.sync(), "skipped": self._skipped.sync()}
        for number, stream in enumerate(self._memories):
            marks[f"memory.{number}"] = stream.sync()
        self.state = {"position": list(position), "reports": reports, "marks": marks,
                      "tokenizer": self._tokenizer.fingerprint()}
        write_json(self.folder / "state.json", self.state | {"sha256": _digest(self.state)})

    def finish(self, meta: dict, tokenizer) -> None:
        """Put X_ids.npy and the others in place, and remove the folder."""
        if self._skipped.length:
            meta = meta | {"skipped_log": os.path.basename(self.prefix) + "_skipped.jsonl"}
            self._skipped.sync()
        else:
            (self.folder / "skipped.jsonl").unlink()
        self.tokens.finish(meta, tokenizer, os.path.basename(self.prefix))
        self._close()
        put_in_place(self.folder, self.prefix)

    def __exit__(self, kind, error, traceback) -> None:
        self._close()
        if kind is not None and issubclass(kind, ValueError) and self.state is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # somebody else uses a folder that we made
                for path in self._made[1:]:
                    path.rmdir()
        os.close(self._held)

    def _close(self) -> None:
        for stream in (getattr(self, "tokens", None), getattr(self, "_skipped", None),
                       *getattr(self, "_memories", ())):
            if stream is not None:
                stream.close()

    def _lock(self) -> None:
        self._held = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._held)
            raise ValueError(
                f"another process is writing {self.prefix}: wait for it, or give this run another "
                "--output_prefix"
            ) from None

    def _check_ours(self) -> None:
        """ValueError where the folder, which will be emptied, holds files of another program."""
        names = [path.name for path in self.folder.iterdir()] if self.folder.exists() else []
        foreign = [name for name in names if not fullmatch(OUR_NAMES, target_of(name) or name)]
        if foreign:
            raise ValueError(f"{self.folder} holds {foreign[0]}, which no run of this command "
                             "made: move it, or give another --output_prefix")

    def _read_earlier(self) -> tuple[dict | None, dict | None]:
        """The plan and the state of an earlier run, None where it has not come so far.

        ValueError where they are not as it wrote them.
        """
        plan, state = self.folder / "plan.json", self.folder / "state.json"
        earlier = read_object(plan) if plan.exists() or state.exists() else None
        if not state.exists():
            return earlier, None
        found = read_object(state, {"sha256": HASH}, ("sha256",))
        if found.pop("sha256") != _digest(found):
            raise ValueError(f"{state} was changed after it was written")
        return earlier, found

    @contextlib.contextmanager
    def _remedy(self) -> Iterator[None]:
        """Adds to an error about what the folder holds how to go on."""
        try:
            yield
        except ValueError as error:
            raise ValueError(f"{error}; remove {self.folder} to begin anew") from None

    def _begin_anew(self, earlier: dict | None, state: dict | None) -> None:
        if earlier and state:
            done = state["reports"]["read"]["documents"]
            changed = ", ".join(key for key in self.plan if earlier.get(key) != self.plan[key])
            warnings.warn(f"{self.folder} has {done:,} documents of another run, which differs in "
                          f"{changed}: beginning anew", stacklevel=2)
        (self.folder / "state.json").unlink(missing_ok=True)  # first: it describes the other files
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def _digest(state: dict) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode("ascii")).hexdigest()
