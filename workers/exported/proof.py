"""Prove that an export answers without Frontier as its model did: by the program of its card, in a process
that imports nothing of ours. What Frontier changes in the libraries is not changed there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from orchestrator.contracts.child_processes import safe_environment
from orchestrator.contracts.exported import ModelUse
from orchestrator.errors import InputError
from workers.runtime.warm_imports import UNUSED, UNUSED_BY_MODELS

_ROWS, _LONGEST = 8, 32  # random tokens: no text is read to prove that logits agree
_LIKE = 1e-4  # of each logit
# Goes before the program: what `workers.runtime.warm_imports` does to import less.
_FIRST = """
import gc, sys
gc.disable()
sys.modules.update(dict.fromkeys({hidden}))
"""
# Follows the part of a card's program that loads the model.
_ANSWER = """
import sys
from safetensors.torch import load_file, save_file

rows = load_file(sys.argv[1])
names = {name.rpartition(".")[0] for name in rows}
with torch.no_grad():
    logits = {
        name.rpartition(".")[2]: model(**{each: rows[each + "." + name.rpartition(".")[2]] for each in names})
        .logits.float().contiguous()
        for name in rows
        if name.startswith("input_ids.")
    }
save_file(logits, sys.argv[2])
gc.freeze()
"""
Row = dict[str, Tensor]


def sample(use: ModelUse, tokenizer: Any) -> list[Row]:
    """Return rows of random tokens, of different lengths: no text has to be read."""
    generator = torch.Generator().manual_seed(0)
    special = set(tokenizer.all_special_ids)
    ids = torch.tensor([number for number in range(len(tokenizer)) if number not in special])
    longest = max(2, min(_LONGEST, use.max_length - use.method.settings.extra_tokens))
    rows = []
    for number in range(_ROWS):
        length = 2 + (longest - 2) * number // (_ROWS - 1)
        chosen = ids[torch.randint(len(ids), (1, length), generator=generator)]
        row = {"input_ids": chosen, "attention_mask": torch.ones_like(chosen)}
        if "token_type_ids" in tokenizer.model_input_names:
            row["token_type_ids"] = torch.zeros_like(chosen)
        rows.append(row)
    return rows


def logits_of_rows(model: Any, rows: list[Row]) -> list[Tensor]:
    model.eval()
    with torch.no_grad():
        return [model(**row).logits.float() for row in rows]


def prove(folder: Path, program: str, rows: list[Row], expected: list[Tensor], cache_dir: Path) -> float:
    """Return by how much the logits of the export in `folder` differ from `expected` at most. `program` loads
    it as `model`. Raises InputError where it cannot be loaded, or they differ by more than rounding."""
    with tempfile.TemporaryDirectory(prefix="frontier-proof-") as scratch:
        asked, answered = Path(scratch) / "rows.safetensors", Path(scratch) / "logits.safetensors"
        save_file({f"{name}.{n}": value for n, row in enumerate(rows) for name, value in row.items()}, asked)
        cuda_only = () if torch.version.cuda else ("bitsandbytes",)
        first = _FIRST.format(hidden=(*UNUSED, *UNUSED_BY_MODELS, *cuda_only))
        hub = {"HF_HUB_CACHE": str(cache_dir / "hub"), "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [sys.executable, "-P", "-c", first + program + _ANSWER, str(asked), str(answered)],
            cwd=folder,
            env=safe_environment(os.environ) | hub,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode or not answered.is_file():
            raise InputError(
                "transformers and peft cannot load this model without Frontier\n"
                "    -> pass --merge, which exports a whole model, or name another cell"
            )
        logits = load_file(answered)
    pairs = [(logits[str(n)], value) for n, value in enumerate(expected)]
    if not all(torch.allclose(own, other, rtol=_LIKE, atol=_LIKE) for own, other in pairs):
        raise InputError(
            "loaded without Frontier, this model gives other logits than the trained one\n"
            "    -> pass --merge, which exports a whole model, or name another cell"
        )
    return max(float((own - other).abs().max()) for own, other in pairs)
