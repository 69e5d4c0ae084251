"""Virtual tokens without Frontier: the function that a model card shows, and that its proof runs."""

from __future__ import annotations

from typing import Any

import torch


def put_before_text(model: Any) -> Any:
    """Let the backbone read the learnt tokens before the text. PEFT puts them before the head instead."""
    count, base = model.active_peft_config.num_virtual_tokens, model.base_model

    def enter(backbone: Any, args: Any, kwargs: Any) -> Any:
        kwargs = {"input_ids": args[0], **kwargs} if args else dict(kwargs)
        embedded = backbone.get_input_embeddings()(kwargs.pop("input_ids"))
        learnt = model.get_prompt(len(embedded)).to(embedded.dtype)
        kwargs["inputs_embeds"] = torch.cat([learnt, embedded], dim=1)
        for name, value in {"attention_mask": 1, "token_type_ids": 0}.items():
            if kwargs.get(name) is not None:
                kwargs[name] = torch.nn.functional.pad(kwargs[name], (count, 0), value=value)
        return (), kwargs

    def leave(backbone: Any, args: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state[:, count:]
        if getattr(output, "pooler_output", None) is not None:
            first = output.last_hidden_state[:, 0]
            pool = getattr(backbone, "pooler_activation", None)  # ALBERT's pooler is a bare linear map
            pooler = backbone.pooler
            output.pooler_output = pool(pooler(first)) if pool else pooler(output.last_hidden_state)
        return output

    base.base_model.register_forward_pre_hook(enter, with_kwargs=True)
    base.base_model.register_forward_hook(leave)
    return base
