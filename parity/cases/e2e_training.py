"""What microsoft/LoRA trains with: label smoothing, the legacy AdamW, schedules of its own."""

from parity.cases import ADAMW, WEIGHT_DECAY, Case

EPSILONS = (0.125, 0.5)
# Tensor parallel processes that the loss is computed in.
PROCESSES = (1, 2)
# What a run is called -> flags of the optimizer beside those that all have.
OPTIMIZERS = {
    "corrected": {}, "uncorrected": {"correct_bias": False, "no_decay_bias": False},
}
FLAGS = {"optimizer": "adamw_legacy", "weight_decay": WEIGHT_DECAY,
         "adam_beta1": ADAMW["beta1"], "adam_beta2": ADAMW["beta2"],
         "adam_epsilon": 2.0**-12}  # large, so that it matters where it is added
PEAK = 3e-4
BEYOND = 6  # steps after the last one, for which a rate is compared too


def runs(case: Case) -> dict[str, tuple[dict, Case]]:
    """what -> (flags, its steps): the usual run, and a short one with the other flags."""
    whole = case.without_dropout()
    cases = dict(zip(OPTIMIZERS, (whole, whole.shortened()), strict=True))
    return {what: (FLAGS | more, cases[what]) for what, more in OPTIMIZERS.items()}


def schedules() -> dict[str, tuple[dict, int]]:
    """what -> (run_finetune.py's flags, steps of the run)."""
    found = {}
    for steps in (2, 50, 101):
        for warm_up in ({}, {"warmup_steps": 7}, {"warmup_steps": steps}, {"warmup_ratio": 0.07}):
            told = ", ".join(f"{name} {value}" for name, value in warm_up.items())
            found[f"cosine of {steps} steps {told}"] = (
                {"scheduler": "lora_cosine", "max_lr": PEAK} | warm_up, steps)
    for marks, rates in (("0", "2.5e-4"), ("0,7,20,21", "0,3e-4,1e-4,2e-4"), ("0,40", "1e-3,0")):
        found[f"cycle of {marks}"] = (
            {"scheduler": "cycle", "i_steps": marks, "i_lrs": rates}, 24)
    for name in ("lora_cosine", "cycle"):
        flags, steps = [one for one in found.values() if one[0]["scheduler"] == name][1]
        found[f"{name} from index 1"] = (flags | {"first_step": 1}, steps)
    return found
