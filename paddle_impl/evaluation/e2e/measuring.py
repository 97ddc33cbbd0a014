"""The measure of run_evaluation.py --e2e: files of outputs, and rows to compare with."""

from typing import Any

from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.config.options import require
from paddle_impl.evaluation import files
from paddle_impl.evaluation.e2e import rows
from paddle_impl.evaluation.e2e.references import (
    References,
    check_counts,
    read_outputs,
    read_references,
)
from paddle_impl.evaluation.e2e.scores import Scores, System, score
from paddle_impl.evaluation.progress import progress_bar


def run(config: EvaluationConfig) -> None:
    """Print the scores of each system, with several of them also a table; write --output_file.

    ValueError, before anything is measured, for files that cannot be read or do not go together.
    """
    options, output = config.e2e, config.output.output_file
    files.check_place(output, "--output_file")
    files.check_distinct({"--output_file": output} | {
        f"{path} of --e2e": path for path in dict.fromkeys(options.e2e)})
    references, systems = _read(options.e2e, options.e2e_rows)
    found = dict(score(systems, java_timeout=options.java_timeout, progress=progress_bar()))
    told = [_numbers(name, systems[name], scores) for name, scores in found.items()]
    if output:
        several = {"rows": told} if len(told) > 1 else {}
        files.write_json(output, {"mode": "e2e", "file": options.e2e[0],
                                  "references": references.about, **told[0], **several})
    print(f"against {references.about}")
    for name, scores in found.items():
        about = f": {systems[name].about}" if systems[name].about else ""
        print(f"\n{name}{about}\n{scores.text()}")
    if len(found) > 1:
        print(f"\n{rows.markdown(found)}")


def _read(paths: list[str], with_rows: bool) -> tuple[References, dict[str, System]]:
    source, *files_of_outputs = paths
    outputs = {path: read_outputs(path) for path in files_of_outputs}
    references = read_references(source, len(next(iter(outputs.values()), [])))
    for path, own in outputs.items():
        check_counts(references, own, path)
    systems = {path: System(own, references.texts) for path, own in outputs.items()}
    if with_rows:
        contexts = references.contexts
        require(contexts is not None, f"--e2e_rows needs meaning representations, and {source} has "
                "only references: name the data, mr||text lines or .csv")
        systems |= {"echo": rows.echo(contexts, references.texts),
                    "template": rows.template(contexts, references.texts),
                    "human": rows.human(references.texts)}
    return references, systems


def _numbers(name: str, system: System, scores: Scores) -> dict[str, Any]:
    about = {"about": system.about} if system.about else {}
    return {"system": name, **about, "instances": len(system.outputs), **scores.values,
            "not_computed": dict(scores.not_computed), "notes": list(scores.notes)}
