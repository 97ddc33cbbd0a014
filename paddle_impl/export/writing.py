"""Write a model as a folder that paddle.inference runs. The folder is complete, or not there."""

import json
import os
from pathlib import Path

import paddle

from data_tools.files import whole_folder
from data_tools.tokenizing.tokenizer import AnyTokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.decoding.end_tokens import end_tokens
from paddle_impl.export import files
from paddle_impl.export.graph import ExportedGraph
from paddle_impl.model import GPTForCausalLM


def write(model: GPTForCausalLM, tokenizer: AnyTokenizer, out: Path) -> None:
    """Write the model as a static graph in float32, with config, tokenizer and export.json.

    An earlier export in `out` is replaced once the new one is whole. ValueError where `out` holds
    anything else, the model is not float32, or it has a layer that ExportedGraph refuses.
    """
    out = Path(os.path.abspath(out))
    kind = model.transformer.wte.weight.dtype
    if kind != paddle.float32:
        raise ValueError(f"only a float32 model can be exported, this one is {kind}: "
                         "load its checkpoint in float32")
    graph = ExportedGraph(model)
    _check_place(out)
    with whole_folder(out) as temporary:
        _fill(temporary, graph, model.config, tokenizer)


def _check_place(out: Path) -> None:
    """ValueError unless `out` is absent, empty, or holds nothing but an earlier export."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise ValueError(f"--export {out}: there is a file of that name; name a folder")
    found = {path.name for path in out.iterdir()}
    try:
        others = found - files.names(out) if found else set()
    except ValueError:
        others = found
    if others:
        raise ValueError(f"--export {out}: the folder holds {min(others)}, which is not of an "
                         "earlier export; name another folder")


def _fill(
    directory: Path, graph: ExportedGraph, config: ModelConfig, tokenizer: AnyTokenizer
) -> None:
    graph.eval()
    # Without full_graph Paddle 3 leaves what it cannot trace to Python, and saves a part of the
    # graph only.
    traced = paddle.jit.to_static(graph, input_spec=graph.inputs, full_graph=True)
    paddle.jit.save(traced, str(directory / files.PROGRAM))
    (directory / f"{files.WEIGHTS}.info").unlink(missing_ok=True)  # names for training further
    (program,) = [name for name in files.PROGRAMS if (directory / name).is_file()]
    tokenizer.save(directory, model_max_length=config.n_positions)
    for name, values in (("config.json", config.to_hf()),
                         ("generation_config.json", config.generation_config)):
        if values is not None:
            (directory / name).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    files.write(directory, files.Export(
        paddle=paddle.__version__, program=program,
        vocab_size=min(tokenizer.vocab_size, config.vocab_size),
        eos_token_id=list(end_tokens(config, tokenizer)), positions=config.n_positions,
        layers=config.n_layer, heads=config.n_head, head_size=config.n_embd // config.n_head,
    ))
