"""Write tiny untrained models of every architecture in the catalogue, with a tokenizer of invented text.

They run the same code as the real models and learn nothing useful: for `--smoke` and for the table of
supported combinations. Weights have a larger standard deviation than usual, so that a change in the input
shows in the output.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast, Qwen2Tokenizer

from orchestrator.contracts.backbone import RandomWeights
from orchestrator.errors import WeightsError, did_you_mean
from workers.demo.corpora import corpus
from workers.demo.pretrain import train_tokenizer
from workers.distributed.saving import save_model

MAX_LENGTH = 512  # tokens, of a text and of every model
_VOCABULARY = 500
_SPREAD = 0.2  # standard deviation of the weights
_PAD, _BEGIN, _END, _MASK = 0, 2, 3, 4  # positions in the vocabulary
_DECODER_NAMES = {"[PAD]": "<0>", "[UNK]": "<unk>", "[CLS]": "<s>", "[SEP]": "</s>", "[MASK]": "<1>"}

_WIDTH: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}
_ENCODER: dict[str, Any] = _WIDTH | {"max_position_embeddings": MAX_LENGTH}
# These number their positions from the padding token on.
_OFFSET: dict[str, Any] = _WIDTH | {"max_position_embeddings": MAX_LENGTH + 2}
_DECODER: dict[str, Any] = _ENCODER | {"num_key_value_heads": 1, "head_dim": 16}
_STATES: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8}

ENCODERS: dict[str, dict[str, Any]] = {
    "albert": _ENCODER | {"embedding_size": 16},
    "bert": _ENCODER,
    # As in DeBERTa-v3, which uses this architecture.
    "deberta-v2": _ENCODER
    | {
        "relative_attention": True,
        "position_buckets": 16,
        "max_relative_positions": -1,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "distilbert": {
        "dim": 32,
        "n_layers": 2,
        "n_heads": 2,
        "hidden_dim": 64,
        "max_position_embeddings": MAX_LENGTH,
    },
    "electra": _ENCODER | {"embedding_size": 16},
    "eurobert": _DECODER,
    "longformer": _OFFSET | {"attention_window": [16, 16]},
    "mobilebert": _ENCODER
    | {
        "embedding_size": 16,
        "intra_bottleneck_size": 16,
        "num_feedforward_networks": 2,
        "classifier_activation": False,
    },
    "modernbert": _ENCODER | {"local_attention": 16},
    "roberta": _OFFSET,
    "xlm-roberta": _OFFSET,
}
DECODERS: dict[str, dict[str, Any]] = {
    "gemma2": _DECODER | {"sliding_window": 16},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": MAX_LENGTH},
    "llama": _DECODER,
    "mistral": _DECODER | {"sliding_window": 16},
    "qwen2": _DECODER,
    "qwen3": _DECODER,
}
STATE_SPACES: dict[str, dict[str, Any]] = {
    "falcon_mamba": _STATES,
    "mamba": _STATES,
    "mamba2": _STATES | {"num_heads": 4, "head_dim": 16, "n_groups": 1, "chunk_size": 8},
}
ARCHITECTURES = ENCODERS | DECODERS | STATE_SPACES
_SETS_BEGIN = {"gemma2", "llama", "mistral"}  # decoders whose tokenizer puts <s> before a text


def write_tiny(weights: RandomWeights, directory: Path) -> None:
    """Write config, weights of the backbone and tokenizer in hub layout into the existing `directory`. The
    result is identical to the last bit for the same weights. Raises WeightsError for an unknown
    architecture."""
    architecture = weights.architecture
    if architecture not in ARCHITECTURES:
        raise WeightsError(
            f"there is no tiny model of architecture {architecture!r}\n"
            f"    -> {did_you_mean(architecture, ARCHITECTURES)}"
        )
    tokenizer = _encoder_tokenizer() if architecture in ENCODERS else _decoder_tokenizer(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(weights.seed)
        model = AutoModel.from_config(tiny_config(architecture))
    save_model(model, directory)
    tokenizer.save_pretrained(directory)


def tiny_config(architecture: str) -> Any:
    special = {
        "bos_token_id": _BEGIN,
        "eos_token_id": _END,
        "pad_token_id": _PAD if architecture in ENCODERS else None,
    }
    if architecture == "modernbert":
        special |= {"cls_token_id": _BEGIN, "sep_token_id": _END}
    return AutoConfig.for_model(
        architecture,
        vocab_size=len(_vocabulary()),
        initializer_range=_SPREAD,
        **special,
        **ARCHITECTURES[architecture],
    )


@cache
def _vocabulary() -> dict[str, int]:
    texts = [*corpus("clinical", 60, seed=0), *corpus("general", 60, seed=0)]
    vocabulary: dict[str, int] = train_tokenizer(texts, _VOCABULARY).get_vocab()
    return vocabulary


def _encoder_tokenizer() -> Any:
    tokenizer = _word_pieces(_vocabulary(), "[UNK]")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", _END), ("[CLS]", _BEGIN))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def _decoder_tokenizer(architecture: str) -> Any:
    """Return a tokenizer like Llama's, without a padding token. transformers reads Qwen2's as bytes in any
    case."""
    if architecture == "qwen2":
        characters = sorted(pre_tokenizers.ByteLevel.alphabet())
        numbers = {character: number for number, character in enumerate(characters, _MASK + 1)}
        return Qwen2Tokenizer(vocab={"<|endoftext|>": _END} | numbers, merges=[], model_max_length=MAX_LENGTH)
    renamed = {_DECODER_NAMES.get(token, token): number for token, number in _vocabulary().items()}
    tokenizer = _word_pieces(renamed, "<unk>")
    if architecture in _SETS_BEGIN:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", _BEGIN)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=MAX_LENGTH,
        model_input_names=["input_ids", "attention_mask"],
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
    )


def _word_pieces(vocabulary: dict[str, int], unknown: str) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer
