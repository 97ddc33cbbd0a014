"""Bugs of the losses of preference pairs, of their batches, and of the reference."""

from parity.mutants.mutant import room

_ROOM = "paddle_impl.finetuning"
_FORMS = "paddle_impl.config.preference.LOSSES"
_MARGINS = f"{_ROOM}.preference_loss._of_margins"
_OBJECTIVE = f"{_ROOM}.preference_loss.preference"
_LOSSES = f"{_ROOM}.preference_loss.pair_losses"
_REWARDS = f"{_ROOM}.preference_loss.rewards"
_LOGS = f"{_ROOM}.preference_loss.log_probabilities"
_COUNTED = f"{_ROOM}.preference_loss.counted_pairs"
_CONSTANT = f"{_ROOM}.preference_loss._constant"
_LOADER = f"{_ROOM}.pairs.PairLoader"
_BATCH = f"{_LOADER}._batch"
_COLLATE = f"{_ROOM}.pairs.collate"
_REFERENCE = f"{_ROOM}.reference.log_probabilities_of"

_SIGMOID = "-F.log_sigmoid(factor * margins)"
_HINGE = "F.relu(1.0 - factor * margins)"
_RATIOS = 'sums - batch["reference"].astype(sums.dtype)'
_MEAN = "ratios = ratios / tokens"
_NLL = "nll = -(sums / tokens).split(2)[0]"
_SFT = "losses + _constant(sft_weight, nll) * nll"
_SHOWN = "(sums / tokens if is_mean else sums)"
_RIGHT = "losses * _constant(1.0 - label_smoothing, losses)"
_WRONG = "_of_margins(-margins, form, beta)"
_ACCURACY = "(1.0 + above - below) * 0.5"
_MASK = "mask[row, pair.start : len(own)] = True"
_ORDER = 'np.concatenate([rows["chosen"], rows["rejected"]])'

BUGS = {
    "DPO without beta": (_MARGINS, _SIGMOID, "-F.log_sigmoid(margins)"),
    "DPO's beta divides": (_MARGINS, _SIGMOID, "-F.log_sigmoid(margins / factor)"),
    "DPO's sign turned": (_MARGINS, _SIGMOID, "-F.log_sigmoid(-factor * margins)"),
    "DPO's probability, not its logarithm": (
        _MARGINS, _SIGMOID, "1.0 - F.sigmoid(factor * margins)"),
    "IPO's target 1 / beta": (_MARGINS, "0.5 / factor", "1.0 / factor"),
    "IPO's target beta / 2": (_MARGINS, "0.5 / factor", "0.5 * factor"),
    "IPO's distance, not its square": (_MARGINS, ".square()", ".abs()"),
    "IPO of scaled margins": (_MARGINS, "margins - 0.5 / factor", "factor * margins - 0.5"),
    "the hinge without beta": (_MARGINS, _HINGE, "F.relu(1.0 - margins)"),
    "the hinge at beta": (_MARGINS, _HINGE, "F.relu(factor - margins)"),
    "the hinge never rests": (_MARGINS, _HINGE, "1.0 - factor * margins"),
    "sigmoid is a mean": (_FORMS, 'SMOOTHED: "sum"', 'SMOOTHED: "mean"'),
    "sigmoid_norm is a sum": (_FORMS, '"sigmoid_norm": "mean"', '"sigmoid_norm": "sum"'),
    "ipo is a mean, as in trl": (_FORMS, '"ipo": "sum"', '"ipo": "mean"'),
    "ipo_norm is a sum": (_FORMS, '"ipo_norm": "mean"', '"ipo_norm": "sum"'),
    "the hinge is over means": (_FORMS, '"hinge": "sum"', '"hinge": "mean"'),
    "no reference": (_OBJECTIVE, _RATIOS, "sums"),
    "the reference added": (_OBJECTIVE, _RATIOS, _RATIOS.replace("sums -", "sums +")),
    "chosen and rejected swapped in the reference": (
        _OBJECTIVE, _RATIOS, _RATIOS.replace('batch["reference"]', 'batch["reference"].flip(0)')),
    "the reference is not a mean": (
        _OBJECTIVE, _MEAN, 'ratios = sums / tokens - batch["reference"].astype(sums.dtype)'),
    "a mean over both responses' tokens": (
        _OBJECTIVE, _MEAN, "ratios = ratios / tokens.reshape([2, -1]).mean(0).tile([2])"),
    "a mean over one token more": (_OBJECTIVE, _MEAN, "ratios = ratios / (tokens + 1.0)"),
    "the chosen response's cross entropy a sum": (_OBJECTIVE, _NLL, _NLL.replace(" / tokens", "")),
    "the rejected response's cross entropy learned": (
        _OBJECTIVE, _NLL, _NLL.replace("[0]", "[1]")),
    "the cross entropy of a reference too": (_OBJECTIVE, _NLL, _NLL.replace("sums", "ratios")),
    "the cross entropy subtracted": (_OBJECTIVE, _SFT, _SFT.replace("losses +", "losses -")),
    "the cross entropy without its factor": (_OBJECTIVE, _SFT, "losses + nll"),
    "the cross entropy shares the weight": (
        _OBJECTIVE, _SFT, f"losses * (1.0 - sft_weight) {_SFT.removeprefix('losses')}"),
    "rows without a pair count": (_OBJECTIVE, "(losses * counted).sum(), {", "losses.sum(), {"),
    "a mean over the rows of the batch": (
        _OBJECTIVE, "(losses * counted).sum(), {", "(losses * counted).mean(), {"),
    "logged sums where the loss has means": (_OBJECTIVE, _SHOWN, "sums"),
    "logged means where the loss has sums": (_OBJECTIVE, _SHOWN, "(sums / tokens)"),
    "logged ratios of a batch's last pair": (
        _OBJECTIVE, "(values.detach() * counted).sum()", "values.detach()[-1] * counted.sum()"),
    "the label smoothing left out": (_LOSSES, "if not label_smoothing:", "if True:"),
    "the share of right labels whole": (_LOSSES, _RIGHT, "losses"),
    "smoothed by the same label": (_LOSSES, _WRONG, _WRONG.replace("-margins", "margins")),
    "smoothed labels without a gradient": (
        _LOSSES, _WRONG, _WRONG.replace("-margins", "-margins.detach()")),
    "margin of the rejected response": (
        _LOSSES, "margins = chosen - rejected", "margins = rejected - chosen"),
    "the rejected response has no gradient": (
        _LOSSES, "margins = chosen - rejected", "margins = chosen - rejected.detach()"),
    "the chosen response has no gradient": (
        _LOSSES, "margins = chosen - rejected", "margins = chosen.detach() - rejected"),
    "rejected and chosen rows alternate": (
        _LOSSES, "chosen, rejected = ratios.split(2)",
        "chosen, rejected = ratios[::2], ratios[1::2]"),
    "rewards not scaled": (_REWARDS, '"chosen_reward": factor * chosen', '"chosen_reward": chosen'),
    "the rejected reward not scaled": (
        _REWARDS, '"rejected_reward": factor * rejected', '"rejected_reward": rejected'),
    "the margin not scaled": (_REWARDS, '"margin": factor * margins', '"margin": margins'),
    "the unscaled margin scaled": (
        _REWARDS, '"unscaled_margin": margins', '"unscaled_margin": factor * margins'),
    "the chosen reward twice": (_REWARDS, "factor * rejected", "factor * chosen"),
    "a tie is wrong": (_REWARDS, _ACCURACY, "above"),
    "a tie is right": (_REWARDS, _ACCURACY, "1.0 - below"),
    "accuracy of rejected responses": (_REWARDS, _ACCURACY, "(1.0 + below - above) * 0.5"),
    "log-probabilities of the prompt too": (
        _LOGS, 'labels = batch["labels"]',
        'labels = paddle.concat([batch["input_ids"][:, 1:], batch["labels"][:, -1:]], axis=1)'),
    "a response's length counts its padding": (
        _LOGS, "(labels != IGNORED).astype(losses.dtype)", "paddle.ones_like(losses)"),
    "cross entropies for log-probabilities": (_LOGS, "-losses.sum(axis=1)", "losses.sum(axis=1)"),
    "log-probabilities of a whole batch": (
        _LOGS, "-losses.sum(axis=1)", "-losses.sum().expand([losses.shape[0]])"),
    "rows count, not pairs": (_COUNTED, '[: len(batch["labels"]) // 2]', ""),
    "tokens count, not pairs": (_COUNTED, ".any(axis=1).sum()", ".sum()"),
    "pairs of a process without any count": (
        _COUNTED, "(chosen != IGNORED).any(axis=1).sum()", "len(chosen)"),
    "beta in float32": (_CONSTANT, "value, like.dtype", "value, 'float32').astype(like.dtype"),
    "rejected rows first": (_BATCH, _ORDER, _ORDER.replace('"chosen"', '""').replace(
        '"rejected"', '"chosen"').replace('""', '"rejected"')),
    "labels of pairs not shifted": (_BATCH, "IGNORED)[:, 1:]", "IGNORED)[:, :-1]"),
    "masks of the chosen responses for both": (
        _BATCH, 'rows["rejected_mask"]', 'rows["chosen_mask"]'),
    "the reference of pairs in file order": (
        _BATCH, "self.reference[numbers]", "self.reference[: len(numbers)]"),
    "the reference alternates": (_BATCH, "own.T.flatten()", "own.flatten()"),
    "a pair for a process without any": (_BATCH, "np.full(1, self", "np.full(2, self"),
    "the first token of a response is no label": (
        _COLLATE, _MASK, "mask[row, pair.start + 1 : len(own)] = True"),
    "the last token of a prompt is a label": (
        _COLLATE, _MASK, "mask[row, max(1, pair.start - 1) : len(own)] = True"),
    "padding behind a response is a label": (_COLLATE, _MASK, "mask[row, pair.start :] = True"),
    "the first padding of a response is a label": (
        _COLLATE, _MASK, "mask[row, pair.start : len(own) + 1] = True"),
    "the last token of a response is no label": (
        _COLLATE, _MASK, "mask[row, pair.start : len(own) - 1] = True"),
    "responses cut to the shorter side": (
        _COLLATE, _MASK, "mask[row, pair.start : min(map(len, pair[:2]))] = True"),
    "the reference has dropout": (_REFERENCE, "model.eval()", "model.train()"),
    "the reference's responses swapped": (
        _REFERENCE, ".reshape(2, -1).T", ".reshape(2, -1).T[:, ::-1]"),
    "the reference's rows alternate": (_REFERENCE, ".reshape(2, -1).T", ".reshape(-1, 2)"),
    "the reference of one process alone": (
        _REFERENCE, "ranks.data.all_reduce_([together])", "pass"),
    "the reference of a mean over tokens": (
        _REFERENCE, "own, _ = log_probabilities(seen(model), to_tensors(batch))",
        "own, n = log_probabilities(seen(model), to_tensors(batch))\n"
        "            own = own / n.clip(min=1.0)"),
    "pairs computed for the reference in another order": (
        f"{_LOADER}.everything", "yield numbers, plain._batch(numbers)",
        "yield numbers, plain._batch(numbers[::-1])"),
}

CONTROLS = {
    "a DPO loss by softplus": (
        _MARGINS, _SIGMOID, "F.log_sigmoid(factor * margins) * -1.0"),
    "pairs padded to a multiple of eight": (
        _COLLATE, "found = {}", "found = {}\n    width = min(-(-width // 8) * 8, 65)"),
    "pairs padded with token 0": (_COLLATE, "pad_id, np.int64", "0, np.int64"),
}

MUTANTS = room("preferences", BUGS, CONTROLS)
