"""A checkpoint is a directory that Hugging Face transformers opens as it is, plus training state.

    config.json                              the model's shape and its class in transformers
    model.safetensors                        all weights; an adapter has two other files instead:
    adapter_config.json                          what it stands on, with peft's keys
    adapter_model.safetensors                    the weights that were trained
    tokenizer.json vocab.json merges.txt ... for AutoTokenizer
    optimizer.safetensors                    moments and beta powers, named after the parameters
    training_state.json                      step, data position, seed, what the data was
    generation_config.json                   where the run started from a directory that has one
    manifest.json                            size and SHA-256 of each of them

Nothing random is stored beyond the seed: every draw is a function of seed, step and rank. No file
holds a time or a path, but for the base that an adapter names, so equal runs write equal bytes. In
output_dir there are:

    model_<step>          complete checkpoints; its manifest tells whether one was damaged later
    .model_<step>.*tmp    what a killed run left half written or half removed
    damaged_model_<step>  set aside by a run that continued from an earlier one
    rewritten_model_<step>    the same, of one that another program has written over
"""

from paddle_impl.checkpoint.body import load_body
from paddle_impl.checkpoint.contents import check_language_model, user_class
from paddle_impl.checkpoint.directory import BEST, checkpoints, make_way, newest
from paddle_impl.checkpoint.reading import (
    config_alone,
    load_config,
    load_language_model,
    load_model,
    load_optimizer,
    load_state,
    load_tokenizer,
    load_weights,
    read_config,
)
from paddle_impl.checkpoint.state import FORMAT_VERSION, TrainingState
from paddle_impl.checkpoint.weights import open_weights
from paddle_impl.checkpoint.writing import NoRoom, check_room, save

__all__ = [
    "BEST", "FORMAT_VERSION", "NoRoom", "TrainingState", "check_language_model", "check_room",
    "checkpoints", "config_alone", "load_body", "load_config", "load_language_model", "load_model",
    "load_optimizer", "load_state", "load_tokenizer", "load_weights", "make_way", "newest",
    "open_weights", "read_config", "save", "user_class",
]
