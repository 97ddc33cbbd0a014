"""A model as a static graph that paddle.inference runs, without this project's model code.

    model.json (Paddle 3) or model.pdmodel (Paddle 2), model.pdiparams     the graph, the weights
    config.json, tokenizer.json ...                                       as in a checkpoint
    export.json         vocabulary, end token, positions, Paddle's version, SHA-256 of each file

`writing` and `graph` need the model; `files`, `decoder` and `running` read the folder and do not.
"""

from pathlib import Path


def export_model(model, tokenizer, out: Path) -> None:
    """See writing.write."""
    # Imported here: whoever runs an exported model needs no model code.
    from paddle_impl.export.writing import write

    write(model, tokenizer, out)
