"""A small model, instructions and conversations for the tests of run_finetune.py --task sft."""

import json
from pathlib import Path

from safetensors.numpy import save_file

from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.model import ModelConfig
from paddle_impl.convert import hugging_face
from paddle_impl.model import GPTForCausalLM, initialize

ANIMALS = ("cat", "dog", "cow", "hen", "pig", "fox")
RECORDS = [{"instruction": f"Write {animal}{' loudly' * loud}.", "input": extra,
            "output": f"The {animal} says {'HELLO' if loud else 'hello'}."}
           for loud in (0, 1) for extra in ("", "now", "again") for animal in ANIMALS]
TRAIN, TEST = 30, 3  # of 36, in the order of the file; 3 are left for validation
BATCH, EPOCHS = 4, 8
STEPS = EPOCHS * -(-TRAIN // BATCH)


def write_base(directory: Path, spare: int = 0) -> Path:
    """A checkpoint as transformers writes it, of a model that has learned nothing; RECORDS beside
    it in records.json. spare: rows that its embedding has beyond the tokenizer's tokens.
    """
    texts = [f"{one['instruction']} {one['output']}\nBelow is an instruction that describes a task."
             " Write a response that appropriately completes the request.\n\n### Instruction:\n"
             "\n\n### Input:\n\n\n### Response:\n" for one in RECORDS]
    tokenizer = Tokenizer.train(texts, 400)
    tokenizer.save(directory)
    model = GPTForCausalLM(ModelConfig(
        n_layer=2, n_embd=32, n_head=2, vocab_size=tokenizer.vocab_size + spare, n_positions=256,
        bos_token_id=0, eos_token_id=0))
    initialize(model, 0)
    (directory / "config.json").write_text(json.dumps(model.config.to_hf()))
    save_file(hugging_face.to_hf(model), directory / "model.safetensors", {"format": "pt"})
    (directory / "records.json").write_text(json.dumps(RECORDS))
    return directory


def write_talks(path: Path) -> Path:
    path.write_text("".join(json.dumps({"messages": [
        {"role": "user", "content": f"Write {animal}."},
        {"role": "assistant", "content": f"The {animal}."},
        {"role": "user", "content": "Again."},
        {"role": "assistant", "content": f"The {animal} again."}]}) + "\n" for animal in ANIMALS))
    return path


def flags(base: Path, output_dir: Path, *more) -> list[str]:
    return [str(word) for word in (
        "--task", "sft", "--model_name_or_path", base, "--output_dir", output_dir,
        "--data", base / "records.json", "--per_gpu_train_batch_size", BATCH,
        "--num_epochs_train", EPOCHS, "--lr", 1e-2, "--eval_freq", 3, "--save_steps", 6,
        "--keep_checkpoints", 0, "--max_dec_len", 12, "--report_to", "none",
        "--peak_tflops", 1, "--device", "cpu", *more)]


def records(run: Path, key: str) -> list[dict]:
    """The records of metrics.jsonl that have the key."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for line in lines if key in (record := json.loads(line))]
