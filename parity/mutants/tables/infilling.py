"""Bugs of fill-in-the-middle: draws, places of the cuts, order of the parts, prompts."""

from parity.mutants.mutant import room

_CUT = "data_tools.fim.cut"
_DRAWS = "data_tools.fim.draws_of"
_ARRANGED = "data_tools.fim.arranged"
_ENCODER = "data_tools.fim.FimEncoder"
_PROMPTS = "data_tools.fim_prompt.FimPrompts"
_PROMPT = f"{_PROMPTS}.prompt"
_GENERATOR = "paddle_impl.text.generator.TextGenerator"
_READER = "paddle_impl.serving.request.Reader"
_GAP = f"{_READER}._whole_gap"

_SPM = "[before, behind, suffix, between, prefix, middle]"
_PSM = "[before, prefix, behind, suffix, between, middle]"
_PARTS = "text[:first], text[first:second], text[second:], spm"
_KEPT = "max(room // _BEHIND, room - len(before))"
_OTHERS = "others[max(0, len(others) - (most - len(prompt))):]"
_ENDED = "(*self._tokenizer.encode(text[-longest:]), self._tokenizer.eos_token_id)"

BUGS = {
    "SPM with the prefix before its token": (
        _ARRANGED, _SPM, "[behind, suffix, before, prefix, between, middle]"),
    "SPM with the middle before the prefix": (
        _ARRANGED, _SPM, "[before, behind, suffix, between, middle, prefix]"),
    "SPM without the prefix token": (
        _ARRANGED, _SPM, "[behind, suffix, between, prefix, middle]"),
    "PSM with the suffix last": (
        _ARRANGED, _PSM, "[before, prefix, between, middle, behind, suffix]"),
    "PSM without a token before the middle": (
        _ARRANGED, _PSM, "[before, prefix, behind, suffix, middle]"),
    "middle and suffix tokens changed over": (
        _ARRANGED, "before, between, behind =", "before, behind, between ="),
    "pad token for the suffix": (
        f"{_ENCODER}.__init__", "FIM_TOKENS[:3]", "(*FIM_TOKENS[:2], FIM_TOKENS[3])"),
    "transformed by one minus the rate": (_CUT, ">= rate", "< 1 - rate"),
    "in SPM by one minus its rate": (
        _CUT, "draws.random() < spm_rate", "draws.random() >= spm_rate"),
    "in SPM by the first draw": [
        (_CUT, "if draws.random() >= rate", "if (chance := draws.random()) >= rate"),
        (_CUT, "draws.random() < spm_rate", "chance < spm_rate and draws.random() >= 0")],
    "never cut behind the last character": (_CUT, "endpoint=True", "endpoint=False"),
    "never cut before the first character": (_CUT, "draws.integers(0,", "draws.integers(1,"),
    "first character of the suffix lost": (_CUT, "text[second:]", "text[second + 1:]"),
    "middle to the document's end": (_CUT, "text[first:second]", "text[first:]"),
    "prefix and suffix changed over": (
        _CUT, _PARTS, "text[second:], text[first:second], text[:first], spm"),
    "the same draws for every text": (_DRAWS, "blake2b(text.encode(),", "blake2b(b'',"),
    "the same draws for every seed": (_DRAWS, 'f"fim {seed}"', '"fim"'),
    "middle encoded with the prefix": (
        f"{_ENCODER}.transformed", "arranged(next(parts), next(parts),",
        "arranged(next(parts)[:0], (next(parts), self.tokenizer.encode(one.prefix + one.middle)"
        ".astype('uint32'))[1],"),
    "untransformed texts behind the others": (
        f"{_ENCODER}.encode_flat", "[next(plain) if row is None else row for row in rows]",
        "[row for row in rows if row is not None] + [*plain]"),
    "transformed only where every document is": (
        "data_tools.create_pretraining_data._fill", "if not options.fim_rate else FimEncoder(",
        "if options.fim_rate < 1 else FimEncoder("),
    "rates of a command changed over": (
        "data_tools.create_pretraining_data._fill", "options.fim_rate, options.fim_spm_rate,",
        "options.fim_spm_rate, options.fim_rate,"),
    "gap: prefix and suffix changed over": (
        _PROMPT, "(prefix, suffix, begun)", "(suffix, prefix, begun)"),
    "gap: never in SPM": (_PROMPT, 'mode == "spm"', "False"),
    "gap: prefix loses its end": (_PROMPT, "before[cut[0]:]", "before[: len(before) - cut[0]]"),
    "gap: suffix loses its start": (_PROMPT, "behind[:kept]", "behind[cut[1]:]"),
    "gap: half of the room for the suffix": (_PROMPT, "room // _BEHIND", "room // 2"),
    "gap: a fourth for the suffix, always": (_PROMPT, _KEPT, "room // _BEHIND"),
    "gap: the suffix gets what the prefix leaves": (_PROMPT, _KEPT, "max(0, room - len(before))"),
    "gap: no room for the control tokens": (_PROMPT, "- len(self._tokens) ", ""),
    "gap: no room for the language's token": (_PROMPT, "- len(front) ", ""),
    "gap: no room for how the middle begins": (_PROMPT, " - len(middle)\n", "\n"),
    "gap: the language behind the prefix's token": (
        _PROMPT, "[*front, *ids.tolist()]", "[*ids.tolist()[:1], *front, *ids.tolist()[1:]]"),
    "gap: control tokens in a text": (
        f"{_PROMPTS}._encoded", "encode(text)", "encode(text, special_tokens=True)"),
    "gap: middle and suffix tokens changed over": (
        f"{_PROMPTS}.__init__", "tuple(special[token] for token in FIM_TOKENS[:3])",
        'tuple(special[f"<fim_{part}>"] for part in ("prefix", "suffix", "middle"))'),
    "gap: pad token ends no middle": (
        f"{_PROMPTS}.__init__", "in FIM_TOKENS if token", "in FIM_TOKENS[:3] if token"),
    "gap: only the model's end token ends a middle": (
        f"{_GENERATOR}.for_gaps", "(*decoding.eos_token_ids, *self._fim.end_tokens)",
        "decoding.eos_token_ids"),
    "gap: only control tokens end a middle": (
        f"{_GENERATOR}.for_gaps", "(*decoding.eos_token_ids, *self._fim.end_tokens)",
        "self._fim.end_tokens"),
    "gap: a middle is never empty": (
        f"{_GENERATOR}.for_gaps", "min_new_tokens=min_new_tokens", "min_new_tokens=1"),
    "gap: room for all new tokens": (
        f"{_GENERATOR}.gap_prompt", "min(decoding.max_new_tokens, positions // 2)",
        "min(decoding.max_new_tokens, positions - 4)"),
    "gap: draws of the first prompt": (
        "paddle_impl.text.generator._draws", "first + number", "number"),
    "/infill: what was typed left out": (
        _GAP, "begun=self._prompts.fitting(gap.begun)", "begun=''"),
    "/infill: what was typed in the prefix": [
        (_GAP, "begun=self._prompts.fitting(gap.begun)", "begun=''"),
        (_GAP, "gap.prefix[-longest:]", "(gap.prefix + gap.begun)[-longest:]")],
    "/infill: other texts lose their end": (_GAP, _OTHERS, "others[: most - len(prompt)]"),
    "/infill: other texts behind the gap": (_GAP, f"{_OTHERS} + prompt", f"prompt + {_OTHERS}"),
    "/infill: no end token behind other texts": (
        _GAP, _ENDED, _ENDED.partition(", self.")[0] + ",)"),
    "/infill: OpenAI's sampling": (
        f"{_READER}.infill", "fim.end_tokens, SAMPLING", "fim.end_tokens"),
    "/infill: only the model's end tokens": (
        f"{_READER}.infill", "fim.end_tokens, SAMPLING", "(), SAMPLING"),
    "/infill: half of the positions for any middle": (
        f"{_READER}.infill", "min(new, positions // 2)", "positions // 2"),
}

CONTROLS = {
    "texts encoded in one call for each": (
        f"{_ENCODER}._rows", "return (ids[start:stop] for start, stop in "
        "pairwise(offsets.tolist()))",
        "return (self.tokenizer.encode_flat([text])[0] for text in texts)"),
    "both places drawn below their end": (
        _CUT, "draws.integers(0, len(text), size=2, endpoint=True)",
        "draws.integers(len(text) + 1, size=2)"),
    "gap: what is kept of the prefix counted": (
        _PROMPT, "before[cut[0]:]", "before[len(before) - min(len(before), room - kept):]"),
    "gap: suffix cut by what is left out": (
        _PROMPT, "behind[:kept]", "behind[: len(behind) - cut[1]]"),
}

MUTANTS = room("infilling", BUGS, CONTROLS)
