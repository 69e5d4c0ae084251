"""How a backbone is adapted: which weights train, which modules an adapter wraps, how many scalars that is.

Target modules are data, by architecture: what PEFT would guess depends on its version, and is missing for
half of them. The lists are those of the study (Taylor et al.), where it names the architecture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peft import IA3Config, LoraConfig, TaskType, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.method import HeadOnly, Ia3, Lora, Settings
from orchestrator.contracts.outcome import Parameters
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import WeightsError

Names = tuple[str, ...]


@dataclass(frozen=True)
class Targets:
    """Module name endings. `feedforward` are those of `ia3` whose input, not output, is rescaled."""

    lora: Names
    ia3: Names
    feedforward: Names


# "output.dense" ends the attention block as well as the feed-forward block: the study adapts both.
_BERT = Targets(("query", "value"), ("key", "value", "output.dense"), ("output.dense",))
_LLAMA = Targets(("q_proj", "v_proj"), ("k_proj", "v_proj", "down_proj"), ("down_proj",))

TARGETS: dict[str, Targets] = {
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "electra": _BERT,
    "mobilebert": Targets(("query", "key", "value"), _BERT.ia3, _BERT.feedforward),
    "distilbert": Targets(
        ("q_lin", "k_lin", "v_lin"), ("k_lin", "v_lin", "ffn.lin1", "ffn.lin2"), ("ffn.lin1", "ffn.lin2")
    ),
    "albert": Targets(("query", "value"), ("key", "value", "ffn_output"), ("ffn_output",)),
    "deberta-v2": Targets(
        ("query_proj", "value_proj"), ("key_proj", "value_proj", "output.dense"), ("output.dense",)
    ),
    "modernbert": Targets(("Wqkv",), ("Wqkv", "mlp.Wo"), ("mlp.Wo",)),
    "eurobert": _LLAMA,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma2": _LLAMA,
}


@dataclass(frozen=True)
class Adapted:
    """`model` trains exactly what its method says; `backbone` is the part of it outside the head."""

    model: Any
    backbone: nn.Module
    settings: Settings
    parameters: Parameters

    @property
    def is_adapter(self) -> bool:
        return isinstance(self.settings, Lora | Ia3)

    def train_mode(self) -> None:
        """Dropout on, except in a backbone that is only read from (head-only)."""
        self.model.train()
        if isinstance(self.settings, HeadOnly):
            self.backbone.eval()


def adapt(
    model: Any,
    settings: Settings,
    spec: BackboneSpec,
    kind: TaskKind,
    unsaved: Names = (),
    *,
    meta: bool = False,
) -> Adapted:
    """Freezes, wraps and counts. The head trains under every method: all of the model outside the backbone,
    and the `unsaved` modules inside it. Draws adapters from torch's global generator.

    `meta`: no storage is touched. Raises WeightsError where no module matches.
    """
    backbone = getattr(model, model.base_model_prefix)
    heads = head_modules(model) + unsaved
    total = count(model.parameters())
    head = sum(count(model.get_submodule(name).parameters()) for name in heads)
    matched: Names = ()
    if isinstance(settings, Lora | Ia3):
        config = _peft_config(model, settings, spec, kind, heads)
        model = get_peft_model(model, config, low_cpu_mem_usage=meta)
        matched = _wrapped(model)
    elif isinstance(settings, HeadOnly):
        model.requires_grad_(False)
        for name in heads:
            model.get_submodule(name).requires_grad_(True)
    trainable = count(p for p in model.parameters() if p.requires_grad)
    parameters = Parameters(
        total=total,
        trainable=trainable,
        adapter=trainable - head if matched else 0,
        head=head,
        matched_modules=matched,
    )
    return Adapted(model, backbone, settings, parameters)


def count(parameters: Any) -> int:
    return sum(parameter.numel() for parameter in parameters)


def head_modules(model: Any) -> Names:
    """Top-level modules outside the backbone that hold weights. PEFT's own guess leaves some frozen."""
    return tuple(
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and any(True for _ in module.parameters())
    )


def target_modules(model: Any, endings: Names, spec: BackboneSpec) -> list[str]:
    """Full names of the backbone's modules that end so. Raises WeightsError if an ending matches none."""
    prefix = model.base_model_prefix + "."
    names = [
        name
        for name, module in model.named_modules()
        if name.startswith(prefix) and not _has_children(module)
    ]
    found: dict[str, None] = {}
    for ending in endings:
        matches = [name for name in names if name.endswith("." + ending)]
        if not matches:
            raise WeightsError(
                f"backbone {spec.name}: no module of its {spec.architecture} model ends in {ending!r}\n"
                "    -> name lora_targets, or ia3_targets and ia3_feedforward, in its catalogue entry"
            )
        found.update(dict.fromkeys(matches))
    return list(found)


def _has_children(module: nn.Module) -> bool:
    return any(True for _ in module.children())


def _peft_config(model: Any, settings: Lora | Ia3, spec: BackboneSpec, kind: TaskKind, heads: Names) -> Any:
    shared: dict[str, Any] = {
        "task_type": TaskType.TOKEN_CLS if kind is TaskKind.NER else TaskType.SEQ_CLS,
        "modules_to_save": list(heads),
    }
    table = _targets(spec, settings)
    if isinstance(settings, Lora):
        return LoraConfig(
            r=settings.rank,
            lora_alpha=settings.scale,
            lora_dropout=settings.dropout,
            target_modules=target_modules(model, table.lora, spec),
            **shared,
        )
    feedforward = target_modules(model, table.feedforward, spec) if table.feedforward else []
    return IA3Config(
        target_modules=target_modules(model, table.ia3, spec), feedforward_modules=feedforward, **shared
    )


def _targets(spec: BackboneSpec, settings: Lora | Ia3) -> Targets:
    """The entry's own lists where it has them, else the architecture's."""
    known = TARGETS.get(spec.architecture)
    lora = spec.lora_targets or (known.lora if known else None)
    ia3 = spec.ia3_targets or (known.ia3 if known else None)
    feedforward = spec.ia3_feedforward
    if feedforward is None:
        feedforward = known.feedforward if known and not spec.ia3_targets else ()
    if (lora if isinstance(settings, Lora) else ia3) is None:
        raise WeightsError(
            f"backbone {spec.name}: it is not known which modules {settings.kind} adapts in architecture "
            f"{spec.architecture!r}\n    -> name lora_targets, or ia3_targets and ia3_feedforward, in its "
            "catalogue entry"
        )
    return Targets(lora or (), ia3 or (), feedforward)


def _wrapped(model: Any) -> Names:
    """Full names, as in the model before it was wrapped."""
    base = model.get_base_model()
    return tuple(name for name, module in base.named_modules() if isinstance(module, BaseTunerLayer))
