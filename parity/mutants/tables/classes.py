"""Bugs of classifiers: how texts are read, their loss, their batches, and what is trained."""

from parity.mutants.mutant import room

_MODEL = "paddle_impl.heads.GPTForSequenceClassification"
_FORWARD, _POOLED, _TOKENS = (f"{_MODEL}.{name}" for name in ("forward", "_pooled", "_tokens"))
_SCORE = "paddle_impl.heads.Score.forward"
_LOSS = "paddle_impl.finetuning.class_loss.classification"
_WEIGHTS = "paddle_impl.finetuning.class_loss.balancing_weights"
_BATCH = "paddle_impl.finetuning.classes.ClassLoader._batch"
_FREEZE = "paddle_impl.finetuning.freezing.freeze"
_POLICIES = "paddle_impl.finetuning.freezing._BLOCKS"
_CONFUSION = "paddle_impl.evaluation.confusion"

_KEPT = "kept = tokens.astype(hidden.dtype).unsqueeze(-1)"
_COUNT = "kept.sum(axis=1).clip(min=1.0)"
_FILLED = "inputs[row, : len(ids)], mask[row, : len(ids)], classes[row] = ids, 1, own"
_KNOWN = 'known = batch["classes"][batch["classes"] != IGNORED]'
_GATHERED = "losses = losses * paddle.gather(each, classes.clip(min=0))"
_RANGE = "range(max(0, layers - blocks), layers)"

BUGS = {
    "the first token is read for the last": (
        _POOLED, "(places * tokens).max(axis=1)", "(places * tokens).min(axis=1)"),
    "the token before the last is read": (
        _POOLED, "(places * tokens).max(axis=1)",
        "((places * tokens).max(axis=1) - 1).clip(min=0)"),
    "the last token of the row is read": (
        _POOLED, "(places * tokens).max(axis=1)", "places.max() * paddle.ones_like(tokens[:, 0])"),
    "the number of tokens is the last one's place": (
        _POOLED, "(places * tokens).max(axis=1)", "tokens.sum(axis=1) - 1"),
    "the second token is read for the first": (
        _POOLED, ".min(axis=1) % length", ".min(axis=1) % length + 1"),
    "every row reads the first one's place": (
        _POOLED, "paddle.stack([rows, at], axis=1)",
        "paddle.stack([rows, at[0] + 0 * at], axis=1)"),
    "every row reads the first row": (
        _POOLED, "paddle.stack([rows, at], axis=1)", "paddle.stack([0 * rows, at], axis=1)"),
    "the mean counts padding": (_POOLED, _KEPT, f"{_KEPT} * 0 + 1"),
    "the mean is over the row": (_POOLED, _COUNT, "tokens.shape[1]"),
    "the mean is a sum": (_POOLED, f" / {_COUNT}", ""),
    "the mean leaves the first token out": (
        _POOLED, "(hidden * kept).sum(axis=1)", "(hidden * kept)[:, 1:].sum(axis=1)"),
    "mean and last are one": (_POOLED, 'if self.pooling == "mean":', "if False:"),
    "the end of the row is one before it": (_FORWARD, "hidden[:, -1]", "hidden[:, -2]"),
    "the end of the row is the text's": (_FORWARD, 'if self.pooling == "last"', "if False"),
    "a classifier sees padding": (
        _FORWARD, "attention_mask=attention_mask,", "attention_mask=None,"),
    "padding goes by its token, not by the mask": (
        _TOKENS, "if attention_mask is not None:", "if False:"),
    "padding and tokens are exchanged": (
        _TOKENS, "(input_ids != padding)", "(input_ids == padding)"),
    "padding is the end token": (
        _TOKENS, "padding = self.config.pad_token_id", "padding = self.config.eos_token_id"),
    "the score is halved": (_SCORE, "self.weight,", "self.weight * 0.5,"),
    "the head of other classes": (_SCORE, "self.weight,", "self.weight.flip(0),"),
    "classes are not weighted in the loss": (_LOSS, _GATHERED, "losses = losses * 1.0"),
    "classes are not weighted in the mean": (
        _LOSS, "len(known) if weights is None else weights[known].sum()", "len(known)"),
    "weights of the predicted classes": (
        _LOSS, "paddle.gather(each, classes.clip(min=0))",
        "paddle.gather(each, logits.detach().argmax(axis=-1))"),
    "weights count twice": (
        _LOSS, "paddle.gather(each, classes.clip(min=0))",
        "paddle.gather(each, classes.clip(min=0)) ** 2"),
    "rows without a text count in the mean": (_LOSS, _KNOWN, 'known = batch["classes"]'),
    "the mean over the rows of a pass": (
        _LOSS, "return losses.sum(), {", "return losses.sum() / len(classes), {"),
    "the least likely class is predicted": (
        _LOSS, "logits.detach().argmax(axis=-1)", "logits.detach().argmin(axis=-1)"),
    "the mask of a batch is not told": (
        _LOSS, '**masks.of_batch(batch))', ")"),
    "class weights go with the square of the counts": (
        _WEIGHTS, "np.count_nonzero(counts) * counts", "counts**2"),
    "class weights are shares": (
        _WEIGHTS, "len(classes) / (np.count_nonzero(counts) * counts)",
        "np.count_nonzero(counts) * counts / len(classes)"),
    "class weights are roots": (
        _WEIGHTS, "len(classes) / (np.count_nonzero(counts) * counts)",
        "np.sqrt(len(classes) / (np.count_nonzero(counts) * counts))"),
    "texts padded on the left, their mask not": (
        _BATCH, "inputs[row, : len(ids)], mask", "inputs[row, width - len(ids) :], mask"),
    "the mask ends before the last token": (
        _BATCH, "mask[row, : len(ids)], classes", "mask[row, : len(ids) - 1], classes"),
    "the mask has a token of padding": (
        _BATCH, "mask[row, : len(ids)], classes", "mask[row, : len(ids) + 1], classes"),
    "classes of the other rows": (_BATCH, "classes[row] = ids", "classes[-1 - row] = ids"),
    "every text is of the first class": (_BATCH, "= ids, 1, own", "= ids, 1, 0 * own"),
    "a row without a text is of the first class": (
        _BATCH, "classes = np.full(shape[0], IGNORED, np.int64)",
        "classes = np.zeros(shape[0], np.int64)"),
    "padding that is seen is masked": (
        _BATCH, "told = {} if self.width else", "told = {} if False else"),
    "rows that are seen are padded to the batch": (
        _BATCH, "width = self.width or max(", "width = max("),
    "rows are padded with zeros": (
        _BATCH, "np.full(shape, self.pad_id, np.int64)", "np.zeros(shape, np.int64)"),
    "the first block is the last": (_FREEZE, _RANGE, "range(blocks)"),
    "one block fewer is trained": (_FREEZE, _RANGE, "range(max(0, layers - blocks) + 1, layers)"),
    "one block more is trained": (_FREEZE, _RANGE, "range(max(0, layers - blocks - 1), layers)"),
    "the last norm is frozen": (_FREEZE, '["transformer.ln_f."] * (blocks > 0)', "[]"),
    "the last norm is trained with the head alone": (
        _FREEZE, '["transformer.ln_f."] * (blocks > 0)', '["transformer.ln_f."]'),
    "the head is frozen": (
        _FREEZE, 'name.startswith("transformer.") and not name.startswith(',
        "not name.startswith("),
    "embeddings are trained with the last block": (
        _FREEZE, "trained += [", 'trained += ["transformer.w"] * (blocks == 1) + ['),
    "two blocks are one": (_POLICIES, '"last_two_blocks": 2', '"last_two_blocks": 1'),
    "the last block is trained with the head alone": (
        _POLICIES, '"last_layer": 0', '"last_layer": 1'),
    "the confusion matrix is transposed": (
        f"{_CONFUSION}.Confusion.add", "(classes[known], predicted[known])",
        "(predicted[known], classes[known])"),
    "F1 without its factor": (f"{_CONFUSION}.f1_scores", "2.0 * np.diag", "np.diag"),
    "F1 is recall": (
        f"{_CONFUSION}.f1_scores", "(counts.sum(axis=0) + counts.sum(axis=1))",
        "(2.0 * counts.sum(axis=1))"),
    "F1 is precision": (
        f"{_CONFUSION}.f1_scores", "(counts.sum(axis=0) + counts.sum(axis=1))",
        "(2.0 * counts.sum(axis=0))"),
    "macro F1 is accuracy": (
        f"{_CONFUSION}.macro_f1", "np.nanmean(f1_scores(counts))", "accuracy(counts)"),
    "macro F1 is weighted by the classes": (
        f"{_CONFUSION}.macro_f1", "np.nanmean(f1_scores(counts))",
        "np.nansum(f1_scores(counts) * counts.sum(axis=1)) / counts.sum()"),
    "accuracy is the mean of the recalls": (
        f"{_CONFUSION}.accuracy", "np.trace(counts) / counts.sum()",
        "np.nanmean(np.diag(counts) / counts.sum(axis=1))"),
}

CONTROLS = {
    "the last place by argmax": (
        _POOLED, "(places * tokens).max(axis=1)", "(places * tokens).argmax(axis=1)"),
    "padding with other tokens": (
        _BATCH, "inputs, mask = np.full(shape, self.pad_id, np.int64)",
        "inputs, mask = np.full(shape, self.pad_id if self.width else 3, np.int64)"),
    "class weights of another scale": (
        _WEIGHTS, "return np.where(counts, weights, 0.0)",
        "return 2.0 * np.where(counts, weights, 0.0)"),
}

MUTANTS = room("classes", BUGS, CONTROLS)
