"""The measure of run_evaluation.py --judge: scores of responses, by a model behind a server."""

import asyncio
import random
import sys
from typing import Any

from data_tools.endpoint import Endpoint
from paddle_impl.config.evaluation import EvaluationConfig
from paddle_impl.config.judge import USUAL_MODEL
from paddle_impl.config.options import require
from paddle_impl.evaluation import files
from paddle_impl.evaluation.judge.asking import Replies, ask
from paddle_impl.evaluation.judge.records import Judged, read_responses
from paddle_impl.evaluation.judge.scores import DRAWS, interval_of, mean_of, score_of

_SHOWN = 20  # failures that the console lists


def run(config: EvaluationConfig) -> None:
    """Print the scores of each field of responses; write --output_file with one for each record.

    ValueError, before anything is asked, for files that cannot be read, and at the end where the
    judge has scored none of the responses in a field.
    """
    options, output, seed = config.judge, config.output.output_file, config.runtime.seed
    files.check_place(output, "--output_file")
    files.check_distinct({"--responses": options.responses, "--judge_cache": options.judge_cache,
                          "--output_file": output})
    responses = read_responses(options.responses, options.response_field)
    endpoint = Endpoint(
        options.judge, options.judge_model, usual_model=USUAL_MODEL,
        key_variable=options.judge_key_variable, timeout=options.judge_timeout,
        retries=options.judge_retries)
    twice = {field: _sample(judged, options.judge_repeat, f"{seed} {field}")
             for field, judged in responses.items()}
    questions = [(one.prompt, 1) for judged in responses.values() for one in judged
                 if one.prompt is not None]
    questions += [(prompt, 2) for prompts in twice.values() for prompt in prompts]

    async def asked() -> Replies:
        async with endpoint:
            return await ask(endpoint, questions, options.judge_cache, seed=seed,
                             concurrency=options.judge_concurrency)

    try:
        replies = asyncio.run(asked())
    except KeyboardInterrupt:
        print(f"run_evaluation.py: stopped; the replies until now are in {options.judge_cache}, "
              "and the same command goes on behind them", file=sys.stderr)
        sys.exit(130)
    told = [{"responses": field, **_numbers(judged, replies, seed),
             **_determinism(twice[field], replies)} for field, judged in responses.items()]
    if output:
        several = {"rows": told} if len(told) > 1 else {}
        files.write_json(output, {
            "mode": "judge", "file": options.responses, "judge": endpoint.model,
            "judge_url": endpoint.url, "temperature": 0, "seed": seed, "asked": replies.asked,
            **told[0], **several})
    print(f"judged by {endpoint.model} at {endpoint.url}, temperature 0, seed {seed}; "
          f"{replies.asked:,} of {len({*questions}):,} questions asked, the others answered in "
          f"{options.judge_cache}")
    for one in told:
        print(f"\n{_text(one)}")
    without = [one["responses"] for one in told if not one["scored_by_the_judge"]
               and one["empty_responses"] < one["records"]]
    require(not without, f"--judge {options.judge} has given no score to {', '.join(without)}")


def _sample(judged: list[Judged], share: float, seed: str) -> list[str]:
    """Prompts that are asked twice: of the records that are asked, one or more if share is not 0.
    """
    prompts = [one.prompt for one in judged if one.prompt is not None]
    count = min(len(prompts), max(1, round(share * len(prompts)))) if share else 0
    return random.Random(seed).sample(prompts, count)


def _numbers(judged: list[Judged], replies: Replies, seed: int) -> dict[str, Any]:
    """What --output_file has of one field: an average, its interval, and one entry a record."""
    records = [_record(one, replies) for one in judged]
    scores = [one["score"] for one in records if "score" in one]
    low, high = interval_of(scores, seed) or (None, None)
    return {
        "records": len(records), "scores": len(scores),
        "average": mean_of(scores) if scores else None,
        "interval": None if low is None else [low, high], "interval_level": 0.95,
        "interval_kind": f"percentiles of {DRAWS} bootstrap means",
        "empty_responses": sum(one.prompt is None for one in judged),
        "scored_by_the_judge": sum("reply" in one for one in records if "score" in one),
        "replies_without_a_score": sum("reply" in one for one in records if "failure" in one),
        "no_reply": sum("reply" not in one for one in records if "failure" in one),
        "results": records,
    }


def _record(judged: Judged, replies: Replies) -> dict[str, Any]:
    place = {"place": judged.place}
    if judged.prompt is None:
        return place | {"score": 0, "empty_response": True}
    reply = replies.texts.get((judged.prompt, 1))
    if reply is None:
        return place | {"failure": replies.errors[judged.prompt, 1]}
    try:
        return place | {"score": score_of(reply), "reply": reply}
    except ValueError as error:
        return place | {"failure": str(error), "reply": reply}


def _determinism(prompts: list[str], replies: Replies) -> dict[str, Any]:
    """How often the judge said the same to a prompt twice; those without two replies are left out.
    """
    pairs = [(replies.texts[prompt, 1], replies.texts[prompt, 2]) for prompt in prompts
             if {(prompt, 1), (prompt, 2)} <= replies.texts.keys()]
    agreeing = sum(_reading(first) == _reading(second) for first, second in pairs)
    return {"asked_twice": len(pairs), "agreeing": agreeing,
            "agreement": agreeing / len(pairs) if pairs else None}


def _reading(reply: str) -> int | str:
    try:
        return score_of(reply)
    except ValueError:
        return reply


def _text(told: dict[str, Any]) -> str:
    total, failed = told["records"], told["records"] - told["scores"]
    lines = [told["responses"], f"Number of scores: {told['scores']} of {total}"]
    if told["scores"]:
        lines.append(f"Average score: {told['average']:.2f}")
    else:
        lines.append("Average score: none, for there is no score")
    if told["interval"]:
        low, high = told["interval"]
        lines.append(f"95 % interval: {low:.2f} to {high:.2f} ({told['interval_kind']})")
    if told["empty_responses"]:
        lines.append(f"Empty responses, which score 0 unasked: {told['empty_responses']}")
    if told["asked_twice"]:
        lines.append(
            f"Asked twice: {told['asked_twice']} ({told['asked_twice'] / total:.0%}), of which "
            f"{told['agreeing']} with the same result ({told['agreement']:.0%})")
    if failed:
        lines.append(f"Failures, which do not count: {failed} ({told['replies_without_a_score']} "
                     f"replies without a score, {told['no_reply']} without a reply)")
        failures = [one for one in told["results"] if "failure" in one]
        lines += [_failure(one) for one in failures[:_SHOWN]]
        if failed > _SHOWN:
            lines.append(f"  and {failed - _SHOWN} more, in --output_file")
    return "\n".join(lines)


def _failure(one: dict[str, Any]) -> str:
    reply = " ".join(one.get("reply", "").split())
    quoted = f': "{reply if len(reply) <= 80 else reply[:77] + "..."}"' if reply else ""
    return f"  {one['place']}: {one['failure']}{quoted}"
