"""The classes that put a head on a backbone: those of transformers where they exist, else ours.

A left-to-right model is read at its last real token, by the attention mask. transformers goes by token number
instead: there a text that ends in the padding token, which is the end-of-text token where a tokenizer has no
other, is read too early, and one that comes in as embeddings is read off its padding.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput, TokenClassifierOutput

from orchestrator.contracts.vocabulary import TaskKind

# Without heads in transformers.
_HEADLESS = frozenset({"falcon_mamba", "mamba", "mamba2"})


class LastTokenPooling:
    """Pool a model with `score` on its backbone: one row of logits per text, from the text's last real
    token."""

    def forward(self: Any, input_ids: Tensor | None = None, **inputs: Any) -> SequenceClassifierOutput:
        hidden = _hidden(self, input_ids, inputs)
        rows = torch.arange(len(hidden), device=hidden.device)
        last = last_real_token(inputs.get("attention_mask"), hidden)
        return SequenceClassifierOutput(logits=self.score(hidden[rows, last]))


class TokenHead:
    """Read a model with `score` on its backbone token by token: one row of logits per token."""

    def forward(self: Any, input_ids: Tensor | None = None, **inputs: Any) -> TokenClassifierOutput:
        return TokenClassifierOutput(logits=self.score(self.dropout(_hidden(self, input_ids, inputs))))


def _hidden(model: Any, input_ids: Tensor | None, inputs: dict[str, Any]) -> Tensor:
    hidden: Tensor = model.base_model(input_ids, **{"use_cache": False} | inputs).last_hidden_state
    return hidden


def last_real_token(mask: Tensor | None, hidden: Tensor) -> Tensor:
    """Return (batch,) positions in `hidden`, (batch, length, width). A mask that also covers a prefix is cut
    to it."""
    batch, length = hidden.shape[:2]
    if mask is None:
        return torch.full((batch,), length - 1, device=hidden.device)
    positions = torch.arange(length, device=hidden.device)
    return (positions * mask[:, -length:].bool()).argmax(-1)


def headed_class(config: Any, kind: TaskKind) -> Any:
    """Return the class of a `kind` model of this configuration. Words get one label each (ner), and every
    other task has one label per example. Raises ValueError if neither transformers nor we have one."""
    auto: Any = (
        AutoModelForTokenClassification if kind is TaskKind.NER else AutoModelForSequenceClassification
    )
    if type(config) in auto._model_mapping:
        return auto._model_mapping[type(config)]
    if config.model_type not in _HEADLESS:
        raise ValueError(f"no {kind} head for {config.model_type}")
    return _headed(AutoModel._model_mapping[type(config)], kind)


def read_at_the_end(model: Any, kind: TaskKind) -> Any:
    """Return the model, pooling by the mask. In transformers left-to-right models call their head `score`."""
    if kind is not TaskKind.NER and hasattr(model, "score") and not isinstance(model, LastTokenPooling):
        model.__class__ = _pooling(model.__class__)
    return model


@cache
def _pooling(base: Any) -> type:
    return type(base.__name__, (LastTokenPooling, base), {"__module__": base.__module__})


@cache
def _headed(backbone: type[PreTrainedModel], kind: TaskKind) -> Any:
    """Return our class on the family's own base class, which handles how its weights are drawn and named."""
    family: Any = next(base for base in backbone.__mro__[1:] if issubclass(base, PreTrainedModel))

    def build(self: Any, config: Any) -> None:
        family.__init__(self, config)
        self.num_labels = config.num_labels
        setattr(self, family.base_model_prefix, backbone(config))
        if kind is TaskKind.NER:
            self.dropout = nn.Dropout(0.1)
        self.score = nn.Linear(config.hidden_size, config.num_labels, bias=kind is TaskKind.NER)
        self.post_init()

    head = TokenHead if kind is TaskKind.NER else LastTokenPooling
    task = "Token" if kind is TaskKind.NER else "Sequence"
    name = f"{backbone.__name__.removesuffix('Model')}For{task}Classification"
    return type(name, (head, family), {"__init__": build, "__module__": __name__})
