"""Fill-in-the-middle: documents by create_pretraining_data and its encoder, middles by generation.
"""

import json
import tempfile
from pathlib import Path

import numpy as np

from data_tools.fim import FimEncoder
from data_tools.tokenizing.tokenizer import Tokenizer
from paddle_impl.config.decoding import Decoding
from paddle_impl.config.serving import ServingOptions
from paddle_impl.decoding.prompt_state import Continuation
from paddle_impl.serving.request import Reader
from paddle_impl.text.generator import TextGenerator
from parity.cases import Case, infilling
from parity.cases import text as cases_text
from parity.compare import Point, Trace
from parity.paddle_side import weights
from parity.paddle_side.tokenizer import create


def documents(case: Case, dtype: str) -> Trace:
    """ids and lens of token files, in path order, and the ids of short texts."""
    trace: Trace = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        infilling.write_documents(directory / "code")
        cases_text.write_tokenizer(directory)
        for name, (rate, spm_rate, seed) in infilling.RATES.items():
            prefix = directory / name
            create("--input_path", directory / "code", "--output_prefix", prefix, "--no-shuffle",
                   "--vocab_file", directory / "vocab.json", "--merge_file",
                   directory / "merges.txt", "--fim_rate", rate, "--fim_spm_rate", spm_rate,
                   "--seed", seed, "--quiet")
            index = np.load(f"{prefix}_idx.npz", allow_pickle=False)
            trace[Point(0, "token file", f"{name}: ids")] = np.load(f"{prefix}_ids.npy")
            trace[Point(0, "token file", f"{name}: lens")] = index["lens"]
            tokenizer = Tokenizer.load(f"{prefix}_tokenizer")
            for number, text in enumerate(infilling.SHORT):
                rows = [FimEncoder(tokenizer, rate, spm_rate, seed + more).encode_flat([text])[0]
                        for more in infilling.SEEDS]
                ids = np.concatenate(rows).astype(np.int64)
                trace[Point(0, "token ids", f"{name}: text {number}")] = ids
    return trace


def middles(case: Case, dtype: str) -> Trace:
    """The prompt and the middles of each gap, as run_generation.py and the server make them."""
    tokenizer = Tokenizer.byte_level().with_added_tokens([*infilling.TOKENS, "<python>"])
    generator = TextGenerator(weights.build(case, dtype), tokenizer)
    trace: Trace = {}
    for number, (name, gap) in enumerate(infilling.GAPS.items()):
        plain = Decoding(
            gap.most, "sampling" if gap.sequences else "greedy_search", min_new_tokens=1,
            num_return_sequences=gap.sequences or 1, eos_token_ids=(infilling.END,),
            vocab_size=generator.vocab_size)
        decoding = generator.for_gaps(plain)
        prompt = generator.gap_prompt(gap.prefix, gap.suffix, decoding, mode=gap.mode,
                                      language=gap.language).ids
        ((_, found),) = generator.generate([prompt], decoding, infilling.SEED, first=number)
        trace |= _points(name, prompt, found)
    for name, (mode, language, body) in infilling.INFILLS.items():
        reader = Reader(generator.model.config, tokenizer, ServingOptions(
            model_name_or_path=infilling.MODEL_ID, eos_token_ids=(infilling.END,),
            fim_mode=mode, language=language), None)
        request = reader.infill(json.dumps(body).encode())
        ((_, found),) = generator.generate(request.prompts, request.decodings[0], request.seed)
        trace |= _points(f"/infill, {name}", request.prompts[0], found)
    return trace


def _points(name: str, prompt: list[int], found: list[Continuation]) -> Trace:
    return infilling.points(name, prompt, [
        (one.token_ids, one.finish_reason == "eos", one.score) for one in found])
