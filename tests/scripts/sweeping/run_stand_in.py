"""A command with the flags and files of a training run, that computes a loss from its flags."""

import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import args
from data_tools.options import Options, flag, require


@dataclass(frozen=True, kw_only=True)
class StandIn(Options):
    output_dir: str = flag(help="where metrics.jsonl goes")
    resume: bool = flag(False, "go on")
    lr: float = flag(0.1, "the loss is least at 0.3")
    width: int = flag(4, "the loss falls with it", aliases=("--breadth",))
    names: list[str] | None = flag(None, "a list of texts")
    style: str = flag("plain", "what happens: diverge and crash fail, wait waits for the file go",
                      choices=("plain", "diverge", "crash", "wait", "silent", "stopped"))
    max_steps: int = flag(3, "steps, of which there are three")
    go: str | None = flag(None, "a file to wait for")

    def __post_init__(self):
        require(self.lr > 0, f"--lr must be positive, got {self.lr}")


def parse(argv: list[str] | None = None) -> StandIn:
    return args.parse(StandIn, "run_stand_in.py", "A stand-in.", argv)


def main() -> None:
    config = parse()
    output = Path(config.output_dir)
    output.mkdir(exist_ok=True)
    with open(output / "starts", "a") as file:
        file.write("resumed\n" if config.resume else "new\n")
    if config.resume and (output / "refuses").exists():
        args.fail("run_stand_in.py", ValueError("this cannot be resumed"))
    if config.style == "silent":
        return
    if config.style == "stopped":
        os.kill(os.getpid(), signal.SIGTERM)
    if config.style == "crash":
        raise RuntimeError("the stand-in crashes")
    if config.style == "wait":
        (output / "waits").touch()
        until = time.monotonic() + 60
        while not Path(config.go).exists() and time.monotonic() < until:
            time.sleep(0.02)
    lines = []
    for step in (1, 2, 3):
        loss = (config.lr - 0.3) ** 2 + 1 / config.width + 1 / step
        lines += [{"step": step, "loss": loss, "lr": config.lr / step},
                  {"step": step, "valid_loss": loss + 0.5 * (step == 3), "valid_hits": step}]
    with open(output / "metrics.jsonl", "w") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    if config.style == "diverge":
        args.fail("run_stand_in.py", FloatingPointError("step 4: loss nan"))


if __name__ == "__main__":
    main()
    sys.exit(0)
