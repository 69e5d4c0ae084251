"""Prefix, prompt and P-tuning: learnt virtual tokens before the text.

The learnt parts are PEFT's, and so is the format they are saved in. How they enter the model is ours: they
are put in front at the door of the backbone, and the places they take are cut off again behind it. So a head
sees what it would see without them: the logits of a token task are as long as the text, an encoder's label is
read off the text's first token and a decoder's off its last one. (PEFT puts them in before the head: token
tasks come out longer than their labels, an encoder is read off a virtual token, and a decoder, which then
knows no token numbers, off the last padding token.)
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from peft import PeftModel, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, TaskType
from torch import Tensor, nn

from orchestrator.contracts.backbone import BackboneSpec
from orchestrator.contracts.method import Prefix, Prompt, PTuning
from orchestrator.contracts.vocabulary import TaskKind
from workers.methods.refusal import UnsupportedError
from workers.methods.targets import Names

Virtual = Prefix | Prompt | PTuning
_BESIDE_TOKENS = ("token_type_ids", "global_attention_mask")  # one value a token, 0 for the virtual ones


class VirtualTokens(PeftModel):  # type: ignore[misc]
    """A model whose backbone reads `config.num_virtual_tokens` learnt tokens before the text."""

    def __init__(self, model: Any, config: Any, backbone: nn.Module) -> None:
        super().__init__(model, config)
        self._entrance = inspect.signature(backbone.forward)
        backbone.register_forward_pre_hook(self._enter, with_kwargs=True)
        if not isinstance(config, PrefixTuningConfig):
            backbone.register_forward_hook(self._leave)

    def forward(self, **inputs: Any) -> Any:
        return self.base_model(**inputs)

    def _enter(self, backbone: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        given = dict(self._entrance.bind_partial(*args, **kwargs).arguments)
        given |= given.pop("kwargs", {})
        count = self.active_peft_config.num_virtual_tokens
        batch = given["input_ids"].shape[0]
        if given.get("attention_mask") is not None:
            given["attention_mask"] = _before(given["attention_mask"], count, 1)
        if isinstance(self.active_peft_config, PrefixTuningConfig):
            return (), given | {"past_key_values": self.get_prompt(batch)}
        for name in _BESIDE_TOKENS:
            if given.get(name) is not None:
                given[name] = _before(given[name], count, 0)
        words = backbone.get_input_embeddings()(given.pop("input_ids"))
        given["inputs_embeds"] = torch.cat([self.get_prompt(batch).to(words.dtype), words], dim=1)
        return (), given

    def _leave(self, backbone: Any, args: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state[:, self.active_peft_config.num_virtual_tokens :]
        if getattr(output, "pooler_output", None) is not None:
            output.pooler_output = _pooled(backbone, output.last_hidden_state)
        return output


def _before(values: Tensor, count: int, value: int) -> Tensor:
    return torch.cat([values.new_full((values.shape[0], count), value), values], dim=1)


def _pooled(backbone: Any, hidden: Tensor) -> Tensor:
    """The pooler's view of the text's first token. ALBERT's is a bare linear map."""
    if hasattr(backbone, "pooler_activation"):
        pooled: Tensor = backbone.pooler_activation(backbone.pooler(hidden[:, 0]))
    else:
        pooled = backbone.pooler(hidden)
    return pooled


def with_virtual_tokens(
    model: Any, settings: Virtual, spec: BackboneSpec, kind: TaskKind, heads: Names
) -> VirtualTokens:
    """Raises WeightsError where the architecture has no door for them."""
    backbone = getattr(model, model.base_model_prefix)
    door = "past_key_values" if isinstance(settings, Prefix) else "inputs_embeds"
    if door not in inspect.signature(backbone.forward).parameters:
        what = "keys and values" if isinstance(settings, Prefix) else "embeddings"
        reason = f"its model takes no {what} from outside, which {settings.kind} needs"
        raise UnsupportedError(spec, reason, "use another method")
    model.requires_grad_(False)
    return VirtualTokens(model, _config(model.config, settings, kind, heads, backbone), backbone)


def _config(config: Any, settings: Virtual, kind: TaskKind, heads: Names, backbone: Any) -> Any:
    shared: dict[str, Any] = {
        "task_type": TaskType.TOKEN_CLS if kind is TaskKind.NER else TaskType.SEQ_CLS,
        "modules_to_save": list(heads),
        "num_virtual_tokens": settings.virtual_tokens,
        "num_layers": config.num_hidden_layers,
        "num_transformer_submodules": 1,
    }
    if isinstance(settings, Prefix):
        # PEFT takes the heads of keys and values where the configuration tells them from those of queries.
        return PrefixTuningConfig(
            token_dim=config.hidden_size, num_attention_heads=config.num_attention_heads, **shared
        )
    shared |= {"token_dim": backbone.get_input_embeddings().weight.shape[1], "num_attention_heads": 1}
    if isinstance(settings, PTuning):
        return PromptEncoderConfig(encoder_hidden_size=settings.encoder_hidden_size, **shared)
    # Virtual tokens that start as words of the vocabulary do better than random ones (Lester et al. 2021).
    return PromptTuningConfig(prompt_tuning_init="SAMPLE_VOCAB", **shared)
