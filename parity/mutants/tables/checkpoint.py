"""Bugs of checkpoint files, of resuming, and of a pretraining run as a whole."""

from parity.mutants.mutant import room

_FROM = "paddle_impl.convert.hugging_face.from_hf"
_TO = "paddle_impl.convert.hugging_face.to_hf"
_LOAD = "paddle_impl.convert.hugging_face.load_weights"
_CONFIG = "paddle_impl.config.model.ModelConfig"
_SAVE = "paddle_impl.checkpoint.writing._fill"
_STATE = "paddle_impl.optim.optimizer.Optimizer.state"
_RESTORE = "paddle_impl.optim.optimizer.Optimizer.load_state"
_MAKE = "paddle_impl.optim.adamw.AdamW._make_slots"
_RESUME = "paddle_impl.training.resume"
_TRAIN = "paddle_impl.training.trainer.Trainer.train"
_RUN = "paddle_impl.training.run.Run"
_CHOSEN = "paddle_impl.optim.choice.chosen_optimizer"
_TASK = "paddle_impl.pretraining.Pretraining"
_SCHEDULE = "paddle_impl.optim.schedule._values"
_INPUTS = "paddle_impl.data.pretraining_data.PretrainingData"
_IDS = "paddle_impl.data.sources.check_ids"
_DROPOUT = "paddle_impl.config.training.TrainingOptions.with_dropout"

_RENAMED = "paddle_impl.convert.hugging_face.Renamed.__getitem__"
_FOUND = "self._tensors[self._names[name]]"
_SET = "parameter.set_value(np.ascontiguousarray(own, dtype=_dtype(parameter)))"
_ALL = "for name, parameter in model.named_parameters()}"
_STORED = "state[key]"
_RESTORED = "in self.rule.tensors().items():"
_UNLESS = f"{_RESTORED}\n        if"
_CONTINUED = "return state.step, [note for note in notes if note]"
_OPTIMIZER = "checkpoint.load_optimizer(source, self.optimizer)"
_DROPPED = "0.0 if self.check_accuracy else self.hidden_dropout_prob"

BUGS = {
    "projections transposed on the way in": (
        _RENAMED, _FOUND, f'({_FOUND}.T if "c_proj" in name else {_FOUND})'),
    "square projection transposed on the way in": (
        _RENAMED, _FOUND, f'({_FOUND}.T if "attn.c_proj" in name else {_FOUND})'),
    "module. not taken off": (
        "paddle_impl.convert.hugging_face._WRAPPERS", '"module", ', ""),
    "_orig_mod. not taken off": (
        "paddle_impl.convert.hugging_face._WRAPPERS", '"_orig_mod", ', ""),
    "a head alone is dropped": (
        _FROM, "named.setdefault(resizing.WTE, head)", "named.get(resizing.WTE, head)"),
    "mask buffers taken for weights": (_FROM, "if _BUFFER.match(bare):", "if False:"),
    "all attention biases taken for buffers": (
        "paddle_impl.convert.hugging_face._BUFFER", "(bias|masked_bias)", "(.*bias)"),
    "an untied head is let through": (_FROM, "if wte != head and", "if False and"),
    "head saved beside its tie": (
        _TO, _ALL, f"{_ALL} | {{'lm_head.weight': model.transformer.wte.weight.numpy()}}"),
    "head saved in the embedding's place": (
        _TO, "{name: whole", '{name.replace("transformer.wte", "lm_head"): whole'),
    "weights saved without transformer.": (
        _TO, "{name: whole", '{name.removeprefix("transformer."): whole'),
    "weights saved in half precision": (
        _TO, "whole(name, parameter)", 'whole(name, parameter).astype("float16")'),
    "weights rounded on the way in": (
        _LOAD, _SET, _SET.replace("own,", 'own.astype("float16"),')),
    "a missing tensor is let through": [
        (_LOAD, "if missing or extra:", "if extra:"),
        (_LOAD, "found = shapes[name], weights[name]",
         "found = shapes[name], weights.get(name, parameters[name].numpy())"),
        (_LOAD, "model.parts.own(name, weights[name])",
         "model.parts.own(name, weights.get(name, parameter.numpy()))")],
    "an unknown tensor is let through": (_LOAD, "if missing or extra:", "if missing:"),
    "another shape is let through": [
        (_LOAD, "if shape != found.shape:", "if False:"),
        (_LOAD, _SET, _SET.replace("own,", "own.reshape(parameter.shape),"))],
    "config.json asks for erf GELU": (
        "paddle_impl.config.model._FIXED_HF_OPTIONS", '("gelu_new", "gelu_pytorch_tanh")',
        '("gelu", "gelu_new", "gelu_pytorch_tanh")'),
    "config.json asks for an untied head": (
        "paddle_impl.config.model._FIXED_HF_OPTIONS", '"tie_word_embeddings": (True,)',
        '"tie_word_embeddings": (False, True)'),
    "config.json without dropout": (
        f"{_CONFIG}.to_hf", "**own,", '**own, "attn_pdrop": 0.0,'),
    "config.json without its epsilon": (
        f"{_CONFIG}.to_hf", "**own,", '**own, "layer_norm_epsilon": 1e-6,'),
    "config.json with another end token": (
        f"{_CONFIG}.to_hf", "**own,", '**own, "eos_token_id": 50256,'),
    "config.json without the division by the layer": (
        f"{_CONFIG}.to_hf", "**own,", '**own, "scale_attn_by_inverse_layer_idx": False,'),
    "config.json's division by the layer not read": (
        f"{_CONFIG}.from_hf", "if name in known}", 'if name in known and "scale" not in name}'),
    "config.json's dropout not read": (
        f"{_CONFIG}.from_hf", "if name in known}", 'if name in known and "pdrop" not in name}'),
    "config.json's end token not read": (
        f"{_CONFIG}.from_hf", "if name in known}", 'if name in known and name != "eos_token_id"}'),
    "config.json's activation not read": (
        f"{_CONFIG}.from_hf", "for name, allowed in _FIXED_HF_OPTIONS.items():",
        "for name, allowed in ():"),
    "checkpoint without its tokenizer": (_SAVE, "if tokenizer is not None:", "if False:"),
    "checkpoint of the step before": (
        _SAVE, "state.to_json()", 'state.to_json() | {"step": state.step - 1}'),
    "moments not saved": (
        _STATE, "if keep:", 'if keep and "moment" not in slot:'),
    "moments swapped": (
        _RESTORE, _STORED,
        'state[{"1": key[:-1] + "2", "2": key[:-1] + "1"}.get(key[-1], key)]'),
    "moments of another layer": (
        _RESTORE, _STORED,
        'state[__import__("re").sub(r"(?<=h[.])[01]", lambda n: str(1 - int(n[0])), key)]'),
    "moments not restored": (
        _RESTORE, _RESTORED, f'{_UNLESS} "moment" in key:\n            continue'),
    "second moments not restored": (
        _RESTORE, _RESTORED, f'{_UNLESS} key.endswith("moment2"):\n            continue'),
    "beta powers not restored": (
        _RESTORE, _RESTORED, f'{_UNLESS} "pow_acc" in key:\n            continue'),
    "restoring decays the weights": (_MAKE, "optimizer.set_lr(0.0)", "pass"),
    "optimizer not restored": (f"{_RUN}._prepare", _OPTIMIZER, "pass"),
    "weights initialised, not restored": (
        f"{_RUN}._prepare", "self.task.load(source, self.model, continues=self.start_step > 0)",
        "initialize(self.model, config.runtime.seed)"),
    "resumed run repeats a step": (_TRAIN, "range(start_step + 1,", "range(start_step,"),
    "resumed run skips a step": (_TRAIN, "range(start_step + 1,", "range(start_step + 2,"),
    "resumed run counts from one": (f"{_RESUME}.start_step", _CONTINUED, "return 0, []"),
    "resumed run reads from the beginning": (
        _TRAIN, "self.loader.step(step - 1)", "self.loader.step(step - 1 - start_step)"),
    "resumed run warms up again": (
        _TRAIN, "self.cadence.learning_rate(step)",
        "self.cadence.learning_rate(step - start_step)"),
    "resumed run draws the first masks again": (
        _TRAIN, "self.step(step, micro_batches, lr)",
        "self.step(step - start_step, micro_batches, lr)"),
    "resumes from the oldest checkpoint": (
        "paddle_impl.checkpoint.directory._newest", "sorted(found, reverse=True)", "sorted(found)"),
    "resumes from the name that sorts last": (
        "paddle_impl.checkpoint.directory._newest", "found, reverse=True",
        "found, key=str, reverse=True"),
    "another folder taken for a checkpoint": (
        "paddle_impl.checkpoint.names.step_of", "_NAME.fullmatch(", "_NAME.match("),
    "any folder with a number taken for a checkpoint": (
        "paddle_impl.checkpoint.names.step_of", "_NAME.fullmatch(", "_NAME.search("),
    "newest checkpoints removed": (
        "paddle_impl.checkpoint.directory.drop_older", "[: -keep if keep else 0]", "[keep:]"),
    "a checkpoint more remains": (
        "paddle_impl.checkpoint.directory.drop_older", "[: -keep if keep else 0]",
        "[: -keep - 1 if keep else 0]"),
    "later checkpoints count among those that remain": (
        "paddle_impl.checkpoint.directory.drop_older", "if number <= step", "if True"),
    "dropout of the checkpoint, not of the flags": (
        f"{_INPUTS}.fit", "self.config.training.with_dropout(shape)", "shape"),
    "hidden dropout for attention too": (
        _DROPOUT, "self.attention_probs_dropout_prob", "self.hidden_dropout_prob"),
    "no embedding dropout in a run": (_DROPOUT, "embd_pdrop=hidden", "embd_pdrop=0.0"),
    "check_accuracy drops all the same": (_DROPOUT, _DROPPED, "self.hidden_dropout_prob"),
    "weight decay not passed on": (
        _CHOSEN, '"weight_decay": options.weight_decay', '"weight_decay": 0.0'),
    "run's betas not passed on": (
        _CHOSEN, '"beta1": options.adam_beta1, "beta2": options.adam_beta2,', ""),
    "run's epsilon not passed on": (_CHOSEN, '"epsilon": options.adam_epsilon', ""),
    "run's clip not passed on": (
        f"{_RUN}.train", "grad_clip=config.optimizer.grad_clip", "grad_clip=0.0"),
    "run's dropout seed not passed on": (f"{_RUN}.train", "seed=config.runtime.seed", "seed=0"),
    "run's first weights from seed 0": (
        f"{_RUN}._prepare", "initialize(self.model, config.runtime.seed)",
        "initialize(self.model, 0)"),
    "run's order from seed 0": (f"{_INPUTS}._loaders", "seed=config.runtime.seed", "seed=0"),
    "warm-up of max_steps": (
        _SCHEDULE, "options.decay_steps or ", ""),
    "rates of a run swapped": (
        _SCHEDULE, '"max_lr": options.max_lr, "min_lr": options.min_lr',
        '"max_lr": options.min_lr, "min_lr": options.max_lr'),
    "run's end tokens not masked": (
        f"{_INPUTS}._loaders", "micro_batch_size, self.end_token", "micro_batch_size, None"),
    "model's end token, not the data's": (
        f"{_INPUTS}.fit", "if self.tokenizer is not None:", "if False:"),
    "validation on training data": (
        f"{_TASK}.evaluate", "self.loaders[split]", 'self.loaders["train"]'),
    "test as short as a validation": ("paddle_impl.data.pretraining_data.TEST_ITERS", "10", "1"),
    "accumulation of a run left out": (
        f"{_INPUTS}._loaders", 'self.accumulation if split == "train" else 1', "1"),
    "negative ids of a dataset let through": (
        _IDS, "0 <= low and high", "high"),
    "ids beyond the vocabulary let through": (
        _IDS, "high < vocab_size", "True"),
    "windows beyond the positions let through": (
        f"{_INPUTS}.fit", "length <= shape.n_positions", "True"),
    "split of a run left out": (f"{_INPUTS}._loaders", "split_shares(options.split)",
                                "[1.0, 0.0, 0.0]"),
}

CONTROLS = {
    "unmutated code": (),
    "rate of restoring left at zero": (_MAKE, "optimizer.set_lr(rate)", "pass"),
    "weights copied on the way out": (
        _TO, "whole(name, parameter)", "whole(name, parameter).copy()"),
}

MUTANTS = room("checkpoint", BUGS, CONTROLS)
