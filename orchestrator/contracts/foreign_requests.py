"""What the JSON files beside weights may not ask of a library: code, other files, endless work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.errors import Problem

_CODE = "auto_map"
_KERNELS = tuple(
    f"{prefix}{what}_implementation{suffix}"
    for what in ("attn", "experts")
    for prefix, suffix in (("", ""), ("_", ""), ("_", "_internal"))
)
_QUANTISED = "quantization_config"
_VOCABULARY = "vocab"
_LAYERS = ("num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers", "decoder_layers")


def of_config(where: str, config: Mapping[str, object], tensors: int) -> Iterator[Problem]:
    """Yield what is refused in config.json, for weights of so many `tensors`."""
    for key, value in _entries(config):
        name = key.rpartition(".")[2]
        if name == _CODE:
            yield _code(where, key, "use weights that a class of transformers reads, and remove the key")
        elif name in _KERNELS and any("/" in kernel for kernel in _strings(value)):
            problem = "names a kernel of a hub, which is code that is never loaded"
            yield Problem(where, key, problem, "remove the key")
        elif name == _QUANTISED and value is not None:
            problem = "says that the weights are quantised; a method decides that here"
            yield Problem(where, key, problem, "use weights that are not quantised, and remove the key")
        elif name in _LAYERS and isinstance(value, int) and 0 < tensors < value:
            problem = f"says {value:,} layers, and the weights have only {tensors:,} tensors"
            yield Problem(where, key, problem, "use config.json and weights of one model")


def of_tokenizer_config(where: str, config: Mapping[str, object]) -> Iterator[Problem]:
    """Yield what is refused in tokenizer_config.json."""
    if _CODE in config:
        yield _code(where, _CODE, "add the tokenizer.json of a fast tokenizer, and remove the key")
    if isinstance(config.get(_VOCABULARY), str):
        problem = "names a file, which may be any file of this machine"
        yield Problem(where, _VOCABULARY, problem, "remove the key, and put vocab.txt into the folder")


def _code(where: str, key: str, fix: str) -> Problem:
    return Problem(where, key, "names code that came with the model, which is never run", fix)


def _entries(config: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Yield key and value, those of the configurations within included."""
    for key, value in config.items():
        yield f"{above}{key}", value
        if isinstance(value, dict) and key.endswith("config") and key != _QUANTISED:
            yield from _entries(value, f"{above}{key}.")


def _strings(value: object) -> Iterator[str]:
    values = value.values() if isinstance(value, dict) else (value,)
    return (name for name in values if isinstance(name, str))
