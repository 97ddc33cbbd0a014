"""Continue the contexts of pairs, each distinct one once."""

from data_tools.e2e.records import E2ERecords
from paddle_impl.config.decoding import DecodingOptions
from paddle_impl.evaluation.progress import progress_bar
from paddle_impl.text.json_lines import line_writer


def continue_contexts(
    generator, path: str, output_file: str, decoding: DecodingOptions, seed: int, prog: str
) -> None:
    """Write a JSON line for each distinct context of a file of data_tools.create_e2e_data.

    id: the number of the first pair that has the context, from 0. context: its text without the end
    token. predict: the new ids, without an end token. text: theirs. score, finish_reason: of the
    continuation, which is the best one of a beam search. The lines are in the order of the ids.

    generator: a text.generator.TextGenerator. prog, output_file: see text.json_lines.line_writer.
    """
    records = E2ERecords(path)
    numbers, tokenizer = records.distinct(), generator.tokenizer
    contexts = [records.context(number).tolist() for number in numbers]
    settings = decoding.settings(generator.end_tokens, generator.vocab_size)
    found = generator.generate(contexts, settings, seed)
    with line_writer(output_file, prog) as write_line:
        for index, (best, *_) in progress_bar(total=len(contexts))(found):
            ids = contexts[index]
            text = tokenizer.decode(ids[:-1] if ids[-1] == tokenizer.eos_token_id else ids)
            write_line({"id": numbers[index], "context": text, "predict": best.token_ids,
                        "text": best.text, "score": best.score,
                        "finish_reason": best.finish_reason})
