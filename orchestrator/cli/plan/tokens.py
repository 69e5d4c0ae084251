"""What a plan says about the tokens of texts: by which tokenizer they were counted, and what is cut."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.config.inputs import lengths_of
from orchestrator.planning import Plan
from orchestrator.planning.workload import TOKENS_PER_WORD
from orchestrator.units import named_list, quantity

_MOST = 3  # names


def tokens_json(plan: Plan) -> dict[str, object]:
    """Return the counts by task and backbone, with examples, mean, cut and read (by length)."""
    return {
        task: {name: counts.model_dump(mode="json") for name, counts in by_tokenizer.items()}
        for task, by_tokenizer in plan.inputs.tokens.items()
        if by_tokenizer
    }


def token_lines(plan: Plan) -> Iterator[str]:
    """Yield a line for each task whose texts were read by tokenizers of its backbones, and one for what is
    guessed by the words."""
    lengths = lengths_of(plan.sweep)
    for task, by_tokenizer in plan.inputs.tokens.items():
        if not by_tokenizer:
            continue
        means = [counts.mean for counts in by_tokenizer.values()]
        low, high = round(min(means)), round(max(means))
        mean = f"{low}" if low == high else f"{low} to {high}"
        by = f"the tokenizer{'s' if len(by_tokenizer) > 1 else ''} of {named_list(list(by_tokenizer), _MOST)}"
        examples = max(counts.examples for counts in by_tokenizer.values())
        sample = f"in a sample of {quantity(examples, 'example')}"
        yield f"  tokens       {task}: {mean} per text by {by}, {sample}{_cut(plan, task, lengths[task])}"
    if guessed := _guessed(plan):
        what = ", ".join(f"{task} ({named_list(names, _MOST)})" for task, names in guessed.items())
        why = "no tokenizer on this machine has read"
        yield f"  tokens       {TOKENS_PER_WORD} per word, guessed: {why} {what}"


def _cut(plan: Plan, task: str, lengths: tuple[int, ...]) -> str:
    """Return how many texts of the sample are cut, at most, at each length that was counted."""
    by_tokenizer = plan.inputs.tokens[task].values()
    shares = {
        length: max(
            (counts.cut[length] / counts.examples for counts in by_tokenizer if length in counts.cut),
            default=0,
        )
        for length in lengths
    }
    parts = [f"{share:.0%} are cut at max_length {length}" for length, share in shares.items() if share]
    return f"; {', '.join(parts)}" if parts else ""


def _guessed(plan: Plan) -> dict[str, list[str]]:
    """Return the backbones by task whose tokens are guessed by the words."""
    guessed: dict[str, list[str]] = {}
    for cell in plan.sweep.grid.cells:
        task, name = cell.task.spec, cell.backbone.name
        if task.mean_tokens is not None or not plan.inputs.counts.get(task.name):
            continue
        names = guessed.setdefault(task.name, [])
        if name not in plan.inputs.tokens.get(task.name, {}) and name not in names:
            names.append(name)
    return {task: names for task, names in guessed.items() if names}
