"""Which modules of an architecture an adapter wraps.

Target modules are data, by architecture: what PEFT would guess depends on its version, and is missing for
half of them. The usual lists are those of the study (Taylor et al.), where it names the architecture.
What can be read off a model (its layers, norms, biases, attention heads) needs no table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.methods.low_rank import TargetGroup
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import WeightsError
from workers.methods.refusal import UnsupportedError

Names = tuple[str, ...]


@dataclass(frozen=True)
class Targets:
    """Module name endings; `*` matches one part of a name.

    `usual` is what LoRA and its variants adapt by default. `ia3_feedforward` are those of `ia3` whose
    input, not output, is rescaled. `sequence_only` are the endings that work in sequence tasks only.
    """

    usual: Names
    ia3: Names
    ia3_feedforward: Names
    attention: Names
    feed_forward: Names
    sequence_only: Names = ()


def _bert(usual: Names) -> Targets:
    # "output.dense" ends the attention block as well as the feed-forward block: IA3 in the study adapts both.
    return Targets(
        usual=usual,
        ia3=("key", "value", "output.dense"),
        ia3_feedforward=("output.dense",),
        attention=("query", "key", "value", "attention.output.dense"),
        feed_forward=("intermediate.dense", "layer.*.output.dense"),
    )


_BERT = _bert(("query", "value"))
_LLAMA = Targets(
    usual=("q_proj", "v_proj"),
    ia3=("k_proj", "v_proj", "down_proj"),
    ia3_feedforward=("down_proj",),
    attention=("q_proj", "k_proj", "v_proj", "o_proj"),
    feed_forward=("gate_proj", "up_proj", "down_proj"),
)
# The fused kernels of state-space models read the weights of the other projections without calling them: an
# adapter there would be passed over on a GPU.
_MAMBA = Targets(("in_proj",), ("in_proj",), (), attention=(), feed_forward=("in_proj",))
# Longformer's global attention: [CLS] attends to every token, and every token to it.
_GLOBAL = ("query_global", "key_global", "value_global")

TARGETS: dict[str, Targets] = {
    "bert": _BERT,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
    "electra": _BERT,
    "longformer": Targets(
        usual=("query", "key", "value", *_GLOBAL),
        ia3=("key", "value", "key_global", "value_global", "output.dense"),
        ia3_feedforward=("output.dense",),
        attention=("query", "key", "value", *_GLOBAL, "attention.output.dense"),
        feed_forward=_BERT.feed_forward,
        sequence_only=_GLOBAL,
    ),
    "mobilebert": Targets(
        usual=("query", "key", "value"),
        ia3=_BERT.ia3,
        ia3_feedforward=_BERT.ia3_feedforward,
        attention=_BERT.attention,
        feed_forward=("intermediate.dense", "layer.*.output.dense", "ffn.*.output.dense"),
    ),
    "distilbert": Targets(
        usual=("q_lin", "k_lin", "v_lin"),
        ia3=("k_lin", "v_lin", "ffn.lin1", "ffn.lin2"),
        ia3_feedforward=("ffn.lin1", "ffn.lin2"),
        attention=("q_lin", "k_lin", "v_lin", "out_lin"),
        feed_forward=("ffn.lin1", "ffn.lin2"),
    ),
    "albert": Targets(
        usual=("query", "value"),
        ia3=("key", "value", "ffn_output"),
        ia3_feedforward=("ffn_output",),
        attention=("query", "key", "value", "attention.dense"),
        feed_forward=("ffn", "ffn_output"),
    ),
    "deberta-v2": Targets(
        usual=("query_proj", "value_proj"),
        ia3=("key_proj", "value_proj", "output.dense"),
        ia3_feedforward=("output.dense",),
        attention=("query_proj", "key_proj", "value_proj", "attention.output.dense"),
        feed_forward=_BERT.feed_forward,
    ),
    "modernbert": Targets(
        usual=("Wqkv",),
        ia3=("Wqkv", "mlp.Wo"),
        ia3_feedforward=("mlp.Wo",),
        attention=("Wqkv", "attn.Wo"),
        feed_forward=("mlp.Wi", "mlp.Wo"),
    ),
    "gpt2": Targets(
        usual=("c_attn",),
        ia3=("c_attn", "mlp.c_proj"),
        ia3_feedforward=("mlp.c_proj",),
        attention=("c_attn", "attn.c_proj"),
        feed_forward=("mlp.c_fc", "mlp.c_proj"),
    ),
    "eurobert": _LLAMA,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "gemma2": _LLAMA,
    "mamba": _MAMBA,
    "mamba2": _MAMBA,
    "falcon_mamba": _MAMBA,
}


def adapter_modules(
    model: Any, method: str, spec: BackboneSpec, kind: TaskKind, group: TargetGroup = "usual"
) -> list[str]:
    """Full names of the modules of a group that an adapter of this kind of method wraps. Raises WeightsError
    if it is not known which, or one of them is not there."""
    named = spec.lora_targets if group == "usual" else None
    endings = named or _group(_of_architecture(spec, method, group), group)
    if not endings:
        raise UnsupportedError(spec, "it has no attention for adapters", "use targets: usual")
    return target_modules(model, _called(endings, spec, kind), spec)


def rescaled_modules(model: Any, spec: BackboneSpec, kind: TaskKind) -> list[str]:
    """Full names of the modules that IA3 rescales. Raises WeightsError as `adapter_modules` does."""
    return target_modules(
        model, _called(spec.ia3_targets or _of_architecture(spec, "ia3").ia3, spec, kind), spec
    )


def rescaled_inputs(model: Any, spec: BackboneSpec, kind: TaskKind) -> list[str]:
    """Full names of the modules whose input IA3 rescales."""
    endings = spec.ia3_feedforward
    if endings is None:
        endings = () if spec.ia3_targets else _of_architecture(spec, "ia3").ia3_feedforward
    return target_modules(model, _called(endings, spec, kind), spec)


def target_modules(model: Any, endings: Names, spec: BackboneSpec) -> list[str]:
    """Full names of the backbone's modules that end so. Raises WeightsError if an ending matches none."""
    prefix = model.base_model_prefix + "."
    names = [
        name
        for name, module in model.named_modules()
        if name.startswith(prefix) and not any(True for _ in module.children())
    ]
    matched: dict[str, None] = {}
    for ending in endings:
        pattern = re.compile(r".*\." + re.escape(ending).replace(r"\*", r"[^.]+"))
        matches = [name for name in names if pattern.fullmatch(name)]
        if not matches:
            raise WeightsError(
                f"backbone {spec.name}: no module of its {spec.architecture} model ends in {ending!r}\n"
                "    -> name lora_targets, or ia3_targets and ia3_feedforward, in its catalogue entry"
            )
        matched.update(dict.fromkeys(matches))
    return list(matched)


def _of_architecture(spec: BackboneSpec, method: str, group: TargetGroup = "usual") -> Targets:
    if spec.architecture in TARGETS:
        return TARGETS[spec.architecture]
    if group != "usual":
        fix = "use targets: usual, with lora_targets in its catalogue entry"
    else:
        fix = "name lora_targets, or ia3_targets and ia3_feedforward, in its catalogue entry"
    raise WeightsError(
        f"backbone {spec.name}: it is not known which modules {method} adapts in architecture "
        f"{spec.architecture!r}\n    -> {fix}"
    )


def _group(targets: Targets, group: TargetGroup) -> Names:
    if group == "usual":
        return targets.usual
    if group == "attention":
        return targets.attention
    return targets.feed_forward if group == "feed-forward" else targets.attention + targets.feed_forward


def _called(endings: Names, spec: BackboneSpec, kind: TaskKind) -> Names:
    """Return the endings without those modules that a ner task never calls: they would get no gradient."""
    targets = TARGETS.get(spec.architecture)
    idle = targets.sequence_only if targets and kind is TaskKind.NER else ()
    return tuple(ending for ending in endings if ending not in idle)


def stack_of_layers(backbone: nn.Module) -> tuple[str, nn.ModuleList]:
    """Name and modules of the backbone's stack of layers: the list that holds most of its weights."""
    stacks = [
        (name, module) for name, module in backbone.named_modules() if isinstance(module, nn.ModuleList)
    ]
    return max(stacks, key=lambda stack: sum(p.numel() for p in stack[1].parameters()))
