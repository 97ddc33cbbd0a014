"""The step as people write it in torch: transformers' GPT-2, clip_grad_norm_, AdamW."""

import os

os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # float32 is float32, on both sides
import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import GPT2Config, GPT2LMHeadModel  # noqa: E402


class Steps:
    """eager: torch's defaults. compile: loss in one full graph, and the fused AdamW. peft: eager
    with an adapter, which alone is trained.
    """

    framework = f"torch {torch.__version__}"

    def __init__(self, kind: str, folder: str, tokens, recipe: dict, device: str):
        self.device = torch.device("cuda" if device == "gpu" else "cpu")
        self.model = GPT2LMHeadModel(GPT2Config.from_pretrained(folder)).to(self.device)
        found = self.model.load_state_dict(load_file(f"{folder}/model.safetensors"), strict=False)
        if found.unexpected_keys or found.missing_keys != ["lm_head.weight"]:
            raise ValueError(f"the weights do not fit transformers' GPT-2: {found}")
        if kind == "peft":
            from peft import PeftModel

            self.model = PeftModel.from_pretrained(self.model, f"{folder}/adapter",
                                                   is_trainable=True)
        self.trained = [p for p in self.model.parameters() if p.requires_grad]
        self.inputs = torch.from_numpy(tokens[:, :-1]).contiguous().to(self.device)
        self.labels = torch.from_numpy(tokens[:, 1:]).contiguous().to(self.device)
        self.loss = self._loss
        if kind == "compile":
            self.loss = torch.compile(self._loss, fullgraph=True, dynamic=False)
        self.max_norm = recipe["grad_clip"]
        matrices = [p for p in self.trained if p.ndim >= 2]
        others = [p for p in self.trained if p.ndim < 2]
        groups = [{"params": matrices, "weight_decay": recipe["weight_decay"]},
                  {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe["learning_rate"],
                                           fused=True if kind == "compile" else None)

    def step(self) -> tuple[float, float]:
        """(loss, gradient norm before clipping), both of before the update."""
        loss = self.loss(self.inputs, self.labels)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trained, self.max_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.wait()
        return float(loss.detach()), float(norm)

    def _loss(self, inputs, labels):
        # Without use_cache=False transformers keeps keys and values that training has no use for.
        logits = self.model(inputs, use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())

    def product(self, rows: int, inner: int, columns: int):
        """A float32 matrix product of that shape, to be called."""
        left = torch.rand(rows, inner, device=self.device)
        right = torch.rand(inner, columns, device=self.device)

        def once():
            left @ right
            self.wait()

        return once

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def gpu_peak_mib(self) -> float:
        return torch.cuda.max_memory_allocated() / 2**20

    def threads(self) -> int:
        return torch.get_num_threads()
