"""Measures which architecture takes which method for which kind of task: `python -m workers.capabilities`.

Of each combination a tiny random model is built as a trial builds its own, adapted, trained for one step,
saved and loaded again. Standard output: the table as CSV, which belongs in `configs/capabilities.csv`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from orchestrator.contracts.backbone import BackboneSpec, RandomWeights
from orchestrator.contracts.capability import Capability, rows_of, write_table
from orchestrator.contracts.method import (
    AdaLora,
    BitFit,
    Boft,
    Full,
    HeadOnly,
    Ia3,
    LnTuning,
    Lora,
    Oft,
    Prefix,
    Prompt,
    PTuning,
    Settings,
    TopLayers,
    Vera,
)
from orchestrator.contracts.vocabulary import Family, TaskKind
from orchestrator.errors import WeightsError
from workers.backbones import build
from workers.batches import collate
from workers.demo.tiny import ARCHITECTURES, DECODERS, STATE_SPACES, write_tiny
from workers.keep import keep_model, load_kept
from workers.methods import Adapted, UnsupportedError, adapt
from workers.tasks import IGNORED, Encoded

SETTINGS: tuple[Settings, ...] = (
    Full(),
    HeadOnly(),
    BitFit(),
    LnTuning(),
    TopLayers(layers=1),
    Lora(rank=2),
    Lora(rank=2, targets="attention"),
    Lora(rank=2, targets="feed-forward"),
    Lora(rank=2, targets="all"),
    Lora(rank=2, dora=True),
    Lora(rank=2, rank_stabilised=True),
    AdaLora(rank=2),
    Vera(rank=8),
    Ia3(),
    Oft(block_size=4),
    Boft(block_size=4),
    Prefix(virtual_tokens=3),
    Prompt(virtual_tokens=3),
    PTuning(virtual_tokens=3, encoder_hidden_size=8),
)
# The head of a classification is that of a relation.
_HEADS = {
    TaskKind.CLASSIFICATION: (TaskKind.CLASSIFICATION, TaskKind.RELATION),
    TaskKind.NER: (TaskKind.NER,),
}
_LABELS = ("a", "b", "c")
_LENGTHS = (9, 5, 7, 3)  # tokens of the invented rows
_RATE = 1e-2


def measure(
    architectures: Sequence[str] = tuple(ARCHITECTURES), settings: Sequence[Settings] = SETTINGS
) -> Iterator[Capability]:
    """A row of the table for each architecture, method and kind of task."""
    for architecture in architectures:
        with tempfile.TemporaryDirectory() as place:
            weights = RandomWeights(architecture=architecture)
            folder = Path(place) / "tiny"
            folder.mkdir()
            write_tiny(weights, folder)
            for method in settings:
                for kind, kinds in _HEADS.items():
                    reason = _reason(weights, folder, method, kind)
                    for each in kinds:
                        yield Capability(
                            architecture=architecture,
                            method=rows_of(method)[-1],
                            task_kind=each,
                            supported=not reason,
                            reason=reason,
                        )


def _reason(weights: RandomWeights, folder: Path, settings: Settings, kind: TaskKind) -> str:
    """Why the combination does not run; empty where it does."""
    architecture = weights.architecture
    decodes = architecture in DECODERS
    family = Family.STATE_SPACE if architecture in STATE_SPACES else Family.ENCODER
    spec = BackboneSpec(
        name=architecture,
        model=architecture,
        domain="none",
        architecture=architecture,
        family=Family.DECODER if decodes else family,
        weights=weights,
    )
    with tempfile.TemporaryDirectory() as place:
        try:
            return _Trial(spec, folder, settings, kind).fault(Path(place) / "kept")
        except UnsupportedError as refused:
            return refused.reason
        except WeightsError as refused:
            return str(refused).split("\n")[0].removeprefix(f"backbone {architecture}: ")
        except (RuntimeError, ValueError, TypeError, AttributeError, KeyError, IndexError) as failed:
            return f"the library fails: {type(failed).__name__}"


class _Trial:
    """One combination on its way from a folder of weights to a verdict."""

    def __init__(self, spec: BackboneSpec, folder: Path, settings: Settings, kind: TaskKind) -> None:
        self._spec, self._folder, self._settings, self._kind = spec, folder, settings, kind
        self._rows = _invented(kind)

    def fault(self, kept: Path) -> str:
        """The first promise that it breaks; empty if it keeps them all. Raises what the libraries raise."""
        torch.manual_seed(0)
        built = build(self._spec, self._folder, self._kind, _LABELS)
        adapted = self._adapted(built)
        before = {name: p.detach().clone() for name, p in adapted.model.named_parameters()}
        self._pad = built.tokenizer.pad_token_id
        idle = self._train(adapted)
        if idle:
            return idle
        changed = {n for n, p in adapted.model.named_parameters() if not torch.equal(p, before[n])}
        if not all(torch.isfinite(p).all() for p in adapted.model.parameters()):
            return "a training step leaves weights that are not finite"
        trained = {name for name, p in adapted.model.named_parameters() if p.requires_grad}
        inside = {name for name in trained if self._belongs_to_method(name, adapted)}
        if changed - trained:
            return "a training step changes frozen weights"
        if not changed & (trained - inside):
            return "the head does not train"
        if not isinstance(self._settings, HeadOnly) and not changed & inside:
            return "nothing but the head trains"
        return self._reads(adapted) or self._comes_back(adapted, built.tokenizer, kept)

    def _adapted(self, built: Any) -> Adapted:
        return adapt(built.model, self._settings, self._spec, self._kind, built.unsaved, steps=4)

    def _belongs_to_method(self, name: str, adapted: Adapted) -> bool:
        """Whether a trained weight is not one of the head's."""
        base = adapted.model.get_base_model() if adapted.is_adapter else adapted.model
        if ".modules_to_save." in name:
            return False
        return "prompt_encoder" in name or f"{base.base_model_prefix}." in name

    def _train(self, adapted: Adapted) -> str:
        adapted.train_mode()
        trained = [(name, p) for name, p in adapted.model.named_parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW([p for _, p in trained], lr=_RATE, weight_decay=0)
        inputs, labels = collate(self._rows, range(len(_LENGTHS)), self._pad, torch.device("cpu"))
        logits = adapted.model(**inputs).logits
        if logits.shape[:-1] != labels.shape:
            return "the model's answers do not line up with the labels"
        loss = cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORED)
        penalty = adapted.penalty()
        total: Any = loss if penalty is None else loss + penalty
        total.backward()
        if not torch.isfinite(loss):
            return "the loss is not finite"
        if adapted.is_adapter and any(p.grad is None for _, p in trained):
            return "some of the adapter is never used"
        optimiser.step()
        optimiser.zero_grad()
        adapted.after_step(1)
        return ""

    def _reads(self, adapted: Adapted) -> str:
        """Whether a row is read alike, alone and beside a longer one."""
        together = self._logits(adapted.model, range(len(_LENGTHS)))
        for index, length in enumerate(_LENGTHS):
            alone = self._logits(adapted.model, [index])[0]
            beside = together[index, :length] if self._kind is TaskKind.NER else together[index]
            if not _alike(alone, beside):
                return "padding changes the answers"
        return ""

    def _comes_back(self, adapted: Adapted, tokenizer: Any, kept: Path) -> str:
        """Whether the saved weights give the same answers in another model."""
        said = self._logits(adapted.model, range(len(_LENGTHS)))
        torch.manual_seed(1)
        if isinstance(self._settings, Full):
            keep_model(adapted, tokenizer, kept, "all")
            model = build(self._spec, kept, self._kind, _LABELS).model
        else:
            keep_model(adapted, tokenizer, kept, "adapters")
            again = self._adapted(build(self._spec, self._folder, self._kind, _LABELS))
            load_kept(again, kept)
            model = again.model
        same = _alike(self._logits(model, range(len(_LENGTHS))), said)
        return "" if same else "saved weights do not give the same answers"

    def _logits(self, model: Any, rows: Sequence[int]) -> Tensor:
        model.eval()
        inputs, _ = collate(self._rows, rows, self._pad, torch.device("cpu"))
        with torch.inference_mode():
            logits: Tensor = model(**inputs).logits
        return logits


def _alike(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=1e-4)


def _invented(kind: TaskKind) -> Encoded:
    """Rows of arbitrary tokens that every tiny vocabulary has."""
    ids = [[7 + (row * 31 + place * 17) % 100 for place in range(n)] for row, n in enumerate(_LENGTHS)]
    labels: list[Any] = [row % len(_LABELS) for row in range(len(ids))]
    if kind is TaskKind.NER:
        labels = [[place % len(_LABELS) for place in range(n)] for n in _LENGTHS]
    return Encoded(input_ids=ids, labels=labels, token_type_ids=None, truncated=0)


def main(architectures: Sequence[str]) -> None:
    from workers.attempt import settle_environment

    settle_environment()
    torch.set_num_threads(1)
    write_table(list(measure(architectures or tuple(ARCHITECTURES))), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
