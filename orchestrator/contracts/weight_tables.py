"""The tables of a model's first layer, of tokens, positions and token types, by the shapes of its tensors."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.contracts.safetensors_files import Shapes

# How the tables are called, as endings of names.
TOKEN_TABLES = ("word_embeddings", "embed_tokens", "tok_embeddings", "wte", "embeddings")
TYPE_TABLES = ("token_type_embeddings",)
_POSITION_TABLES = ("position_embeddings", "wpe")
_POSITION_TABLES_OF_BART = ("embed_positions",)

# Architectures that number the positions of a text from behind the padding token's number.
_AFTER_PADDING = frozenset(
    {
        "camembert",
        "data2vec-text",
        "esm",
        "ibert",
        "layoutlmv3",
        "lilt",
        "longformer",
        "luke",
        "markuplm",
        "mpnet",
        "roberta",
        "roberta-prelayernorm",
        "xlm-roberta",
        "xlm-roberta-xl",
        "xmod",
    }
)
# Architectures whose table has two rows more than max_position_embeddings: they number positions from 2.
_BART_AND_KIN = frozenset({"bart", "biogpt", "mbart", "opt", "plbart"})
_FROM_TWO = _BART_AND_KIN | {"mra", "nystromformer", "yoso"}


def rows_of(shapes: Shapes, tables: tuple[str, ...]) -> int | None:
    """Rows of the first of these tables. None: there is none."""
    for name, shape in shapes.items():
        parts = name.removesuffix(".weight")
        if name.endswith(".weight") and any(f".{parts}".endswith(f".{table}") for table in tables):
            return shape[0] if shape else None
    return None


def position_rows(shapes: Shapes, config: Mapping[str, object]) -> int | None:
    """Return the largest max_position_embeddings that the table has rows for; None if there is no table."""
    kind = config.get("model_type")
    rows = rows_of(shapes, _POSITION_TABLES_OF_BART if kind in _BART_AND_KIN else _POSITION_TABLES)
    return rows - 2 if rows is not None and kind in _FROM_TWO else rows


def positions(shapes: Shapes, config: Mapping[str, object]) -> int | None:
    """Tokens that a text may have. None: there is no table."""
    rows, kind = position_rows(shapes, config), config.get("model_type")
    if rows is None or kind not in _AFTER_PADDING:
        return rows
    padding = config.get("pad_token_id", 1)
    return rows - 1 - (padding if isinstance(padding, int) and kind != "mpnet" else 1)
