"""Bugs of instruction tuning: what is encoded, cut, learned and packed."""

from parity.mutants.mutant import room

_ROOM = "data_tools.instructions"
_ENCODER = f"{_ROOM}.encoding.Encoder"
_RECORD = f"{_ENCODER}._instruction"
_TALK = f"{_ENCODER}._conversation"
_PROMPT = f"{_ENCODER}.prompt"
_WINDOW = f"{_ROOM}.encoding.window"
_EXAMPLES = f"{_ROOM}.examples.InstructionExamples"
_PREFIXES = f"{_ROOM}.answers._by_prefixes"
_ENDS = f"{_ROOM}.answers._with_ends"
_TEXT = f"{_ROOM}.prompts.instruction_text"
_ROWS = f"{_ROOM}.rows.PackedRows"
_PIECES = "data_tools.tokenizing.chat_template.ChatTemplate.pieces"
_BATCH = "paddle_impl.finetuning.batches.InstructionLoader._batch"
_LOSS = "paddle_impl.finetuning.response_loss._loss"

_JOINED = "np.concatenate([prompt, self.tokenizer.encode(record.output), [end]])"
_OWN = "len(self._ids(instruction_text(self.style, *told)))"
_LATER = 'labels[np.flatnonzero(np.diff(self.segments(number))) + 1] = IGNORED'

BUGS = {
    "an answer without its end token": (_RECORD, ", [end]])", "])"),
    "prompt and answer encoded together": (
        _RECORD, _JOINED,
        "np.concatenate([self._ids(prompt_text(self.style, *told) + record.output), [end]])"),
    "a control token in an answer": (
        _RECORD, "encode(record.output)", "encode(record.output, special_tokens=True)"),
    "the header is no part of the response": (_RECORD, _OWN, "len(prompt)"),
    "a response begins a token late": (_RECORD, f">= {_OWN}", f"> {_OWN}"),
    "a response begins a token early": (_RECORD, f">= {_OWN}", f">= {_OWN} - 1"),
    "an input belongs to the response": (
        _RECORD, _OWN, "len(self._ids(instruction_text(self.style, record.instruction)))"),
    "a control token in an instruction": (
        f"{_ENCODER}._ids", "special_tokens=self.reads_special", "special_tokens=True"),
    "control tokens of a chat are text": (
        f"{_ENCODER}._ids", "special_tokens=self.reads_special", "special_tokens=False"),
    "a conversation is cut before its first answer": (_TALK, "answers[-1]", "answers[0]"),
    "users' words are responses": (
        _TALK, "[answer for _, answer in pieces]", "[True for _ in pieces]"),
    "only the last answer is learned": (
        _TALK, "[answer for _, answer in pieces]",
        "[number == answers[-1] for number in range(len(pieces))]"),
    "no end token behind the brackets": (_TALK, 'get("eos_token")', 'get("sep_token")'),
    "a prompt with its answer": (_PROMPT, "del messages[-1]", "pass"),
    "a prompt without the header of the answer": (
        _PROMPT, "add_generation_prompt=True", "add_generation_prompt=False"),
    "a prompt without its input": (_PROMPT, ", record.input)", ")"),
    "a long answer loses its start": (_WINDOW, "min(over, begin)", "over"),
    "a long prompt loses its end": (
        _WINDOW, "left = min(over, begin) if side == \"prompt\" else 0", "left = 0"),
    "answers are cut from the left": (_WINDOW, 'side == "prompt"', "True"),
    "a cut prompt takes as much of the answer": (
        _WINDOW, "size - (over - left)", "size - over"),
    "an example keeps a token too few": (
        f"{_EXAMPLES}.__init__", "max_seq_length + 1", "max_seq_length"),
    "an example keeps a token too many": (
        f"{_EXAMPLES}.__init__", "max_seq_length + 1", "max_seq_length + 2"),
    "prompts are learned with the response": (
        f"{_EXAMPLES}.read", "ids if self.all_tokens else", "ids if True else"),
    "prompts are not learned with everything": (
        f"{_EXAMPLES}.read", "ids if self.all_tokens else", "ids if False else"),
    "white space behind an answer is learned": (_PREFIXES, ".rstrip()", ""),
    "the header of an answer is learned": (
        _PREFIXES, "add_generation_prompt=True", "add_generation_prompt=False"),
    "an end token is learned twice": (_ENDS, "end not in found[-1][0]", "end"),
    "an end token lost behind the brackets": (_ENDS, "(found[-1][0] + end, True)", "found[-1]"),
    "brackets are the other way round": (_PIECES, "piece == _MARKS[0]", "piece == _MARKS[1]"),
    "one line feed before an input": (_TEXT, r"\n\n### Input:", r"\n### Input:"),
    "an empty input has a header": (
        _TEXT, 'if input else "")\n    assert', 'if True else "")\n    assert'),
    "phi3's input on the instruction's line": (_TEXT, r'f"\n{input}"', 'f" {input}"'),
    "a chat in Llama 2's form without its beginning": (
        f"{_ROOM}.templates.TEMPLATES", "{{ bos_token }}", ""),
    "Llama 2's system message in every turn": (
        f"{_ROOM}.templates.TEMPLATES", "{% set told.system = '' %}", ""),
    "ChatML's line feed is learned": (
        f"{_ROOM}.templates.TEMPLATES", r"'<|im_end|>' }}{% endgeneration %}{{ '\n' }}",
        r"'<|im_end|>' }}{{ '\n' }}{% endgeneration %}"),
    "labels across the examples of a row": (_ROWS + ".read", _LATER, "pass"),
    "a packed example's end is no label": (
        _ROWS + ".read", "(np.diff(self.segments(number))) + 1",
        "(np.diff(self.segments(number)))"),
    "packed examples see each other": (
        _ROWS + ".segments", "np.arange(1, len(row) + 1)", "np.ones(len(row), int)"),
    "packed segments begin a token early": (
        _BATCH, "self.examples.segments(number)[:-1]", "self.examples.segments(number)[1:]"),
    "responses begin a token late": (
        _BATCH, "self.examples.response(number)[1:]", "self.examples.response(number)[:-1]"),
    "responses count what is no label": (
        _BATCH, 'batch["responses"] &= batch["labels"] >= 0', "pass"),
    "the loss of responses is that of everything": (
        _LOSS, "losses.detach() * told", "losses.detach()"),
    "the loss of responses by the number of labels": (
        _LOSS, "told.sum())", '(batch["labels"] >= 0).sum())'),
    "the loss of the responses alone is learned": (
        _LOSS, "return losses.sum()", "return (losses * told).sum()"),
}
CONTROLS = {
    "what is cut is counted from the other side": (
        _WINDOW, "size - (over - left)", "min(size, size - over + left)"),
    "responses counted by their labels": (
        _LOSS, "told.sum())", '(batch["responses"] > 0).astype(losses.dtype).sum())'),
}

MUTANTS = room("instructions", BUGS, CONTROLS)
