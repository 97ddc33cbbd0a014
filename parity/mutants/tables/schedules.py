"""Bugs of the schedules that are chosen by name."""

from parity.mutants.mutant import room

_SCHEDULE = "paddle_impl.optim.schedule.Schedule"
_VALUES = "paddle_impl.optim.schedule._values"
_PEERS = "paddle_impl.optim.schedule.transformers_lr"
_SCRATCH = "paddle_impl.optim.schedule.lr_from_scratch"
_NAME = "paddle_impl.config.schedule.ScheduleOptions.name"

_ROUNDED = "math.ceil(total_steps * options.warmup_ratio)"
_CYCLES = '(0.5 if name == "cosine" else 1.0)'
_COSINE = "min_lr + 0.5 * (1.0 + math.cos(math.pi * progress)) * (max_lr - min_lr)"

BUGS = {
    "transformers' first step is 1": (f"{_SCHEDULE}.__init__", "else 0", "else 1"),
    "first step of llms_from_scratch is 0": (
        f"{_SCHEDULE}.__init__", "(PADDLENLP, FROM_SCRATCH)", "(PADDLENLP,)"),
    "a first step of 0 taken for none": (
        f"{_SCHEDULE}.__init__", "first if options.first_step is None else options.first_step",
        "options.first_step or first"),
    "first step moves the rates back": (
        f"{_SCHEDULE}.learning_rate", "step - 1 + self.first_step", "step - self.first_step"),
    "warm-up of a ratio rounded down": (
        _VALUES, _ROUNDED, "int(total_steps * options.warmup_ratio)"),
    "warm-up of a ratio rounded to the nearest": (
        _VALUES, _ROUNDED, "round(total_steps * options.warmup_ratio)"),
    "warm-up of a ratio of the steps but one": (
        _VALUES, _ROUNDED, "math.ceil((total_steps - 1) * options.warmup_ratio)"),
    "restarts with half a cycle": (_VALUES, _CYCLES, "0.5"),
    "a cosine of a whole cycle": (_VALUES, _CYCLES, "1.0"),
    "cycles of the flag ignored": (_VALUES, f"options.num_cycles or {_CYCLES}", _CYCLES),
    "cosine without cycles": (
        _PEERS, "math.pi * num_cycles * 2.0 * progress", "math.pi * progress"),
    "cosine by half its angle": (_PEERS, "num_cycles * 2.0 * progress", "num_cycles * progress"),
    "warm-up lasts a step longer": (
        _PEERS, "step < warmup_steps", "0 < warmup_steps and step <= warmup_steps"),
    "warm-up begins at its first part": (
        _PEERS, "(step / warmup_steps)", "((step + 1) / warmup_steps)"),
    "line over all steps": (
        _PEERS, "(total_steps - step) / rest", "(total_steps - step) / total_steps"),
    "line falls below zero": (
        _PEERS, "max(0.0, (total_steps - step) / rest)", "(total_steps - step) / rest"),
    "decay over the warm-up too": (_PEERS, "(step - warmup_steps) / rest", "step / rest"),
    "cosine rests after its end": (
        _PEERS, "progress = (step - warmup_steps) / rest",
        "progress = min(1.0, (step - warmup_steps) / rest)"),
    "a restart at the very end": (_PEERS, "progress >= 1.0", "progress > 1.0"),
    "cosine ends where restarts do": (
        _PEERS, '    if name == "cosine":', '    if progress >= 1.0:\n        return 0.0\n'
        '    if name == "cosine":'),
    "no restarts": (_PEERS, "(num_cycles * progress % 1.0)", "min(1.0, num_cycles * progress)"),
    "soft restarts": (
        _PEERS, "math.pi * (num_cycles * progress % 1.0)", "2.0 * math.pi * num_cycles * progress"),
    "constant without its warm-up": (
        _PEERS, 'if name == "constant":', 'if name.startswith("constant"):'),
    "names of two schedules swapped": (
        _NAME, "ALIASES.get(self.scheduler, self.scheduler)",
        'ALIASES.get(self.scheduler, self.scheduler).replace("cosine_with_restarts", "cosine")'),
    "llms_from_scratch: warm-up from zero": (
        _SCRATCH, "initial_lr + step * ((max_lr - initial_lr) / warmup_steps)",
        "step * (max_lr / warmup_steps)"),
    "llms_from_scratch: warm-up adds the peak": (
        _SCRATCH, "(max_lr - initial_lr) / warmup_steps", "max_lr / warmup_steps"),
    "llms_from_scratch: cosine over all steps": (
        _SCRATCH, "(step - warmup_steps) / (total_steps - warmup_steps)", "step / total_steps"),
    "llms_from_scratch: cosine to zero": (_SCRATCH, "* (max_lr - min_lr)", "* max_lr - min_lr"),
    "llms_from_scratch: rises after its end": (
        _SCRATCH, "step >= total_steps",
        "step == total_steps or total_steps <= warmup_steps"),
    "llms_from_scratch: last warm-up step falls": (
        _SCRATCH, "step <= warmup_steps", "step < warmup_steps"),
}

CONTROLS = {
    "cosine by its half angle squared": (
        _PEERS, "0.5 * (1.0 + math.cos(angle))", "math.cos(0.5 * angle) ** 2"),
    "llms_from_scratch rearranged": [
        (_SCRATCH, "step * ((max_lr - initial_lr) / warmup_steps)",
         "step / warmup_steps * (max_lr - initial_lr)"),
        (_SCRATCH, _COSINE,
         "min_lr + 0.5 * (max_lr - min_lr) * (1.0 + math.cos(math.pi * progress))")],
}

MUTANTS = room("schedules", BUGS, CONTROLS)
