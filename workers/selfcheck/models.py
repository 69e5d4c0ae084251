"""Draw untrained backbones of any width, with a tokenizer of the invented words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.vocabulary import Family, TaskKind
from workers.distributed.saving import save_model
from workers.methods import count
from workers.models.backbones import build_shape
from workers.selfcheck.forks import fork
from workers.selfcheck.results import CheckProblemError
from workers.selfcheck.workspace import WORDS, Workspace

_MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_VOCABULARY = len(_MARKS) + WORDS
_NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "attention_dropout": 0.0}


def bert(workspace: Workspace, *, hidden: int, layers: int, dropout: bool = False) -> BackboneSpec:
    shape = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, hidden // 64),
        "intermediate_size": 4 * hidden,
        "max_position_embeddings": 512,
    }
    return backbone(workspace, "bert", shape, dropout=dropout)


def llama(workspace: Workspace, *, hidden: int, layers: int, intermediate: int | None = None) -> BackboneSpec:
    shape = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, hidden // 64),
        "num_key_value_heads": max(1, hidden // 64),
        "intermediate_size": intermediate or 3 * hidden,
        "max_position_embeddings": 1024,
    }
    return backbone(workspace, "llama", shape)


def rehearsed_models(workspace: Workspace) -> None:
    """Write the models of a rehearsal in this process, so that the checks find its imports already done."""
    torch.set_num_threads(1)
    bert(workspace, hidden=64, layers=2)
    llama(workspace, hidden=64, layers=2)


def backbone(
    workspace: Workspace, architecture: str, shape: dict[str, Any], *, dropout: bool = False
) -> BackboneSpec:
    """Draw the weights of a backbone and write them once; later checks find them. `shape`: the keys of its
    configuration."""
    shape = {"vocab_size": _VOCABULARY, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, **shape}
    config = AutoConfig.for_model(architecture, **shape)
    if not dropout:
        for key, rate in _NO_DROPOUT.items():
            if hasattr(config, key):
                shape[key] = rate
                setattr(config, key, rate)
    width, layers = config.hidden_size, config.num_hidden_layers
    name = f"{architecture}-{width}x{layers}{'' if dropout else '-still'}"
    folder = workspace.root / "backbones" / name
    decoder = architecture not in ("bert", "distilbert", "modernbert")
    if not (folder / "config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _tokenizer(decoder, token_types=architecture == "bert").save_pretrained(folder)
        if workspace.rehearsal:
            _draw(config, folder, "cpu", torch.float32)
        else:
            half = torch.bfloat16 if decoder else torch.float32
            in_a_fork(lambda: _draw(config, folder, "cuda", half))
    spec = BackboneSpec(
        name=name,
        model=name,
        domain="general",
        architecture=architecture,
        family=Family.DECODER if decoder else Family.ENCODER,
        weights=FolderWeights(folder=str(folder)),
        shape=shape,
    )
    parameters = count(build_shape(spec, TaskKind.CLASSIFICATION, 2).parameters())
    return spec.model_copy(update={"parameters": parameters})


def _draw(config: Any, folder: Path, device: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModel.from_config(config)
    save_model(model.to(dtype), folder)


def in_a_fork(act: Callable[[], None]) -> None:
    """Do something with CUDA in a fork and leave this process without CUDA, so that attempts can be forked
    from it."""
    if os.waitpid(fork(act), 0)[1]:
        raise CheckProblemError("the weights of a model could not be drawn on the GPU")


def _tokenizer(decoder: bool, *, token_types: bool) -> PreTrainedTokenizerFast:
    entries = (*_MARKS, *(f"w{number}" for number in range(WORDS)))
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(entries)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if not decoder:
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if token_types else [])]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=names,
    )
