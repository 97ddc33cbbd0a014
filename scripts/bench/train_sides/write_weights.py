"""The weights that all sides of a workload begin with, as a folder that transformers opens.

    python write_weights.py MODEL FOLDER BATCH SEQ_LEN

MODEL is a registry name; dropout is off, since no two frameworks draw the same masks. In its folder
`adapter` is LoRA of rank 4 on c_attn, at random: both matrices have gradients from the first step
on. Answers with the shape of the model, its parameters, and the matrix-product FLOP of a step.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from paddle_impl.process import runtime

runtime.import_paddle("cpu")
from safetensors.numpy import save_file  # noqa: E402

from paddle_impl import lora  # noqa: E402
from paddle_impl.checkpoint import plain  # noqa: E402
from paddle_impl.config.registry import named_model  # noqa: E402
from paddle_impl.convert import hugging_face  # noqa: E402
from paddle_impl.model import GPTForCausalLM, initialize  # noqa: E402
from paddle_impl.training.flops import training_flops  # noqa: E402


def main(name: str, folder: Path, batch: int, seq_len: int) -> None:
    config = named_model(name).with_(embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0)
    if seq_len > config.n_positions:
        raise ValueError(f"--seq_len {seq_len} is beyond the {config.n_positions} of {name}")
    model = GPTForCausalLM(config)
    initialize(model, 0)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config.to_hf()))
    save_file(hugging_face.to_hf(model), folder / "model.safetensors")
    lora.apply_lora(model, lora.LoraOptions(lora_dim=4, lora_init="random"), base=folder)
    plain.write_model(folder / "adapter", model, None)
    print("answer", json.dumps({
        "layers": config.n_layer, "width": config.n_embd, "vocabulary": config.vocab_size,
        "parameters": config.num_parameters(),
        "flop_per_step": training_flops(config, batch * seq_len, seq_len),
    }))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
