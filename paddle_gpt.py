"""`paddle-gpt COMMAND ...`: every command of the project under one name.

Each command is the module that `python -m MODULE` runs, with its own flags and exit codes. Only
that module is imported, so the list of commands needs neither Paddle nor numpy.
"""

import runpy
import sys

COMMANDS = {
    "prepare": ("data_tools.create_pretraining_data", "text files -> token files"),
    "inspect": ("data_tools.inspect", "show and check token files"),
    "convert": ("data_tools.convert", "token files from and to other programs' formats"),
    "merge": ("data_tools.merge", "join the parts that several machines made"),
    "prepare-completion": ("data_tools.create_completion_data",
                           "source code -> windows for fine-tuning a model to complete code"),
    "prepare-classification": ("data_tools.create_classification_data",
                               "split texts with labels for a classifier"),
    "prepare-e2e": ("data_tools.create_e2e_data",
                    "E2E pairs -> records for fine-tuning a model to write texts"),
    "decode-e2e": ("data_tools.decode_e2e", "predictions for E2E pairs -> files to measure"),
    "synthesize": ("data_tools.synthesize",
                   "records for fine-tuning, written by a model behind a server"),
    "pretrain": ("run_pretrain", "train a GPT on token files"),
    "finetune": ("run_finetune", "train a GPT further on examples"),
    "merge-adapter": ("paddle_impl.merge_adapter", "a LoRA adapter -> a whole model"),
    "generate": ("run_generation", "write text, serve completions, export a model"),
    "evaluate": ("run_evaluation", "measure a model"),
    "parity": ("parity", "hold this project against PyTorch (needs the extra `parity`)"),
}


def main(argv: list[str] | None = None) -> None:
    """Run the command that the first argument names; exits with 2 if there is no such command."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in COMMANDS:
        module, _ = COMMANDS[words[0]]
        sys.argv = [f"paddle-gpt {words[0]}", *words[1:]]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    if words and words[0] in ("-h", "--help"):
        print(usage())
        return
    told = f"unknown command {words[0]!r}" if words else "a command is missing"
    sys.exit(_refuse(f"{told} (known: {', '.join(COMMANDS)})"))


def usage() -> str:
    """The help text: one line for each command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {about}" for name, (_, about) in COMMANDS.items()]
    return "\n".join(["usage: paddle-gpt COMMAND [FLAGS]", "", *lines, "",
                      "paddle-gpt COMMAND --help shows a command's flags."])


def _refuse(message: str) -> int:
    print(f"paddle-gpt: error: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
