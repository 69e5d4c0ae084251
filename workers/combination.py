"""The test of one method on one architecture, from which the capability table is made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model
from torch import Tensor
from torch.nn.functional import cross_entropy

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods import Settings
from orchestrator.contracts.vocabulary import TaskKind
from workers.batches import collate
from workers.export import export_model, load_exported
from workers.methods import Adapted, adapt
from workers.models.backbones import build
from workers.tasks import IGNORED, Encoded

LABELS = ("a", "b", "c")
_LENGTHS = (9, 5, 7, 3)  # tokens of the invented rows
_RATE = 1e-2


class Combination:
    """One architecture, method and kind of task, on its way from a folder of weights to a verdict."""

    def __init__(self, spec: BackboneSpec, folder: Path, settings: Settings, kind: TaskKind) -> None:
        self._spec, self._folder, self._settings, self._kind = spec, folder, settings, kind
        self._rows = _invented(kind)

    def problem(self, kept: Path) -> str:
        """Return the first problem; empty if there is none. Raises what the libraries raise."""
        torch.manual_seed(0)
        built = build(self._spec, self._folder, self._kind, LABELS)
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
        if not self._settings.trains_head_alone and not changed & inside:
            return "nothing but the head trains"
        return self._reads(adapted) or self._comes_back(adapted, built.tokenizer, kept)

    def _adapted(self, built: Any) -> Adapted:
        return adapt(built.model, self._settings, self._spec, self._kind, built.unsaved, steps=4)

    def _belongs_to_method(self, name: str, adapted: Adapted) -> bool:
        """Return whether a trained weight is not one of the head's."""
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
        if not torch.isfinite(self._loss_in_half_precision(adapted)):
            return "the loss is not finite in bf16"
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

    def _loss_in_half_precision(self, adapted: Adapted) -> Tensor:
        """As on a GPU; its gradients are dropped."""
        inputs, labels = collate(self._rows, range(len(_LENGTHS)), self._pad, torch.device("cpu"))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = adapted.model(**inputs).logits.float()
        loss: Any = cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORED)
        loss.backward()
        adapted.model.zero_grad()
        dropped: Tensor = loss.detach()
        return dropped

    def _reads(self, adapted: Adapted) -> str:
        """Return a problem where a row gets other logits by itself than beside a longer one."""
        together = self._logits(adapted.model, range(len(_LENGTHS)))
        for index, length in enumerate(_LENGTHS):
            alone = self._logits(adapted.model, [index])[0]
            beside = together[index, :length] if self._kind is TaskKind.NER else together[index]
            if not _alike(alone, beside):
                return "padding changes the answers"
        return ""

    def _comes_back(self, adapted: Adapted, tokenizer: Any, kept: Path) -> str:
        """Return a problem where the saved weights give other answers in a new model."""
        expected = self._logits(adapted.model, range(len(_LENGTHS)))
        torch.manual_seed(1)
        if self._settings.trains_everything:
            export_model(adapted, tokenizer, kept, "all")
            model = build(self._spec, kept, self._kind, LABELS).model
            load_model(model, kept / "model.safetensors", strict=False)  # and its head, which is drawn again
        else:
            export_model(adapted, tokenizer, kept, "adapters")
            again = self._adapted(build(self._spec, self._folder, self._kind, LABELS))
            load_exported(again, kept)
            model = again.model
        same = _alike(self._logits(model, range(len(_LENGTHS))), expected)
        return "" if same else "saved weights do not give the same answers"

    def _logits(self, model: Any, rows: Sequence[int]) -> Tensor:
        model.eval()
        inputs, _ = collate(self._rows, rows, self._pad, torch.device("cpu"))
        with torch.inference_mode():
            logits: Tensor = model(**inputs).logits
        return logits


def _alike(left: Tensor, right: Tensor) -> bool:
    return torch.allclose(left, right, rtol=1e-3, atol=1e-4)


def _invented(kind: TaskKind) -> Encoded:
    """Rows of arbitrary tokens that every tiny vocabulary has."""
    ids = [[7 + (row * 31 + place * 17) % 100 for place in range(n)] for row, n in enumerate(_LENGTHS)]
    labels: list[Any] = [row % len(LABELS) for row in range(len(ids))]
    if kind is TaskKind.NER:
        labels = [[place % len(LABELS) for place in range(n)] for n in _LENGTHS]
    return Encoded(input_ids=ids, labels=labels, token_type_ids=None, truncated=0)
