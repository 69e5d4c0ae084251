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
from collections.abc import Mapping
from typing import Any

import torch
from peft import PeftModel, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, TaskType
from torch import Tensor, nn

from orchestrator.contracts.methods import Settings
from orchestrator.contracts.methods.virtual_tokens import Prefix, Prompt, PTuning
from orchestrator.contracts.vocabulary import TaskKind
from workers.methods.base import Context, Method, S
from workers.methods.refusal import UnsupportedError

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
        embedded = backbone.get_input_embeddings()(given.pop("input_ids"))
        given["inputs_embeds"] = torch.cat([self.get_prompt(batch).to(embedded.dtype), embedded], dim=1)
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


class _Tokens(Method[S]):
    """Puts learnt tokens in front at the door of the backbone that takes them."""

    door = "inputs_embeds"
    what = "embeddings"

    def adapt(self, model: Any, settings: S, context: Context) -> VirtualTokens:
        backbone = getattr(model, model.base_model_prefix)
        if self.door not in inspect.signature(backbone.forward).parameters:
            reason = f"its model takes no {self.what} from outside, which {settings.kind} needs"
            raise UnsupportedError(context.spec, reason, "use another method")
        model.requires_grad_(False)
        shared: dict[str, Any] = {
            "task_type": TaskType.TOKEN_CLS if context.kind is TaskKind.NER else TaskType.SEQ_CLS,
            "modules_to_save": list(context.heads),
            "num_virtual_tokens": settings.extra_tokens,
            "num_layers": model.config.num_hidden_layers,
            "num_transformer_submodules": 1,
        }
        return VirtualTokens(model, self.config(model, settings, shared, backbone), backbone)

    def config(self, model: Any, settings: S, shared: dict[str, Any], backbone: Any) -> Any:
        """Return PEFT's configuration, with the keys that all methods share: `shared`."""
        raise NotImplementedError


class _Prefix(_Tokens[Prefix]):
    door = "past_key_values"
    what = "keys and values"

    def config(
        self, model: Any, settings: Prefix, shared: dict[str, Any], backbone: Any
    ) -> PrefixTuningConfig:
        # PEFT takes the heads of keys and values where the configuration tells them from those of queries.
        heads = model.config.num_attention_heads
        return PrefixTuningConfig(token_dim=model.config.hidden_size, num_attention_heads=heads, **shared)


def _embedded(backbone: Any) -> dict[str, int]:
    width = backbone.get_input_embeddings().weight.shape[1]
    return {"token_dim": width, "num_attention_heads": 1}


class _Prompt(_Tokens[Prompt]):
    def config(
        self, model: Any, settings: Prompt, shared: dict[str, Any], backbone: Any
    ) -> PromptTuningConfig:
        # Tokens that start as words of the vocabulary do better than random ones (Lester et al. 2021).
        return PromptTuningConfig(prompt_tuning_init="SAMPLE_VOCAB", **shared, **_embedded(backbone))


class _PTuning(_Tokens[PTuning]):
    def config(
        self, model: Any, settings: PTuning, shared: dict[str, Any], backbone: Any
    ) -> PromptEncoderConfig:
        size = settings.encoder_hidden_size
        return PromptEncoderConfig(encoder_hidden_size=size, **shared, **_embedded(backbone))


METHODS: Mapping[type[Settings], Method[Any]] = {Prefix: _Prefix(), Prompt: _Prompt(), PTuning: _PTuning()}
