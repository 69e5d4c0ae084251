"""What a folder of weights holds, and whether it is what its catalogue entry says. Read without torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.contracts import foreign_requests
from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.safetensors_files import (
    ADAPTER,
    Shapes,
    find_weights,
    listed,
    pointers_of_lfs,
)
from orchestrator.contracts.weight_tables import TOKEN_TABLES, TYPE_TABLES, position_rows, positions, rows_of
from orchestrator.errors import Problem

CONFIG, TOKENIZER, _TOKENIZER_CONFIG, _WORDS = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)
# Tokenizer classes of transformers that number the second text of a pair 1 unless told otherwise, and the
# architectures whose tokenizer is one of them; without `Tokenizer`, `Fast` and hyphens.
_NUMBERING = frozenset(
    {
        "bert",
        "convbert",
        "deberta",
        "debertav2",
        "electra",
        "ernie",
        "fnet",
        "layoutlm",
        "lxmert",
        "markuplm",
        "megatronbert",
        "mobilebert",
        "nezha",
        "qdqbert",
        "squeezebert",
        "visualbert",
    }
)
_WRAPPERS = ("module.", "_orig_mod.", "_fsdp_wrapped_module.", "base_model.model.")
_CONVERT = "convert the weights on a machine that may trust them: load them, then save_pretrained"
_CONVERT_HUB = (
    "run `frontier stage` with --convert: it fetches pytorch_model.bin and converts it once, in a process of "
    "its own that reads nothing but tensors; or pin a revision that has model.safetensors"
)


@dataclass(frozen=True)
class WeightsFolder:
    """`config` and `tokenizer` are the content of the JSON files, empty where they cannot be read."""

    directory: Path
    config: Mapping[str, object]
    tokenizer: Mapping[str, object]
    tokenizer_config: Mapping[str, object]
    files: tuple[Path, ...]  # of safetensors, those that are read
    shapes: Shapes  # of the tensors in them, by name

    @property
    def adapter(self) -> bool:
        """Return whether there is an adapter beside the weights. It is not read."""
        return (self.directory / ADAPTER).is_file()

    @property
    def lacks_pooler(self) -> bool:
        """Return whether the weights come from a pre-training without BERT's pooler."""
        return not any(".pooler." in f".{name}" for name in self.shapes)

    @property
    def rows(self) -> int | None:
        """Tokens that the weights have an embedding for."""
        return rows_of(self.shapes, TOKEN_TABLES)

    @property
    def positions(self) -> int | None:
        """Tokens that the weights take. None for models without a table of positions: nothing ends them."""
        return positions(self.shapes, self.config)

    @property
    def token_types(self) -> int | None:
        """Return the number of kinds of texts, of a pair the first and the second, that the weights
        distinguish."""
        return rows_of(self.shapes, TYPE_TABLES)

    @property
    def tokens(self) -> int | None:
        """Return the size of the tokenizer's vocabulary: its highest token number plus one; None if
        unknown."""
        path = self.directory / _WORDS
        if not self.tokenizer and path.is_file():
            return len(path.read_bytes().splitlines()) or None
        vocabulary = _mapping(self.tokenizer.get("model")).get("vocab")
        if isinstance(vocabulary, list):
            numbers = [len(vocabulary) - 1]
        else:
            numbers = [n for n in _mapping(vocabulary).values() if isinstance(n, int)]
        for added in _list(self.tokenizer.get("added_tokens")):
            if isinstance(number := _mapping(added).get("id"), int):
                numbers.append(number)
        added_later = _mapping(self.tokenizer_config.get("added_tokens_decoder"))
        numbers += [int(number) for number in added_later if str(number).isdecimal()]
        return max(numbers, default=-1) + 1 or None

    @property
    def numbers_texts(self) -> bool:
        """Return whether the tokenizer numbers the tokens of a pair's second text 1, so that the model can
        distinguish them."""
        inputs = self.tokenizer_config.get("model_input_names")
        if isinstance(inputs, list):
            numbered = "token_type_ids" in inputs
        else:
            kind = str(self.tokenizer_config.get("tokenizer_class") or self.config.get("model_type")).lower()
            for part in ("-", "_", "fast", "tokenizer"):
                kind = kind.replace(part, "")
            numbered = kind in _NUMBERING
        return numbered and (not self.tokenizer or _numbers_second(self.tokenizer.get("post_processor")))


def read_weights(spec: BackboneSpec, directory: Path) -> tuple[WeightsFolder, list[Problem]]:
    """Return the folder, and everything in it that is wrong. Reads headers of weights only, not the weights.
    Raises OSError where a file is there but unreadable."""
    where = f"backbone {spec.name}: {directory}"
    problems: list[Problem] = []
    pointers = {path.name for path in pointers_of_lfs(directory)}
    for name in sorted(pointers):
        problem = "is a pointer of git-lfs, not the file"
        problems.append(Problem(f"{where}/{name}", "", problem, "run `git lfs pull` in its repository"))
    small = {
        name: {} if name in pointers else _json(where, directory / name, problems)
        for name in (CONFIG, TOKENIZER, _TOKENIZER_CONFIG)
    }
    files = find_weights(where, directory, _CONVERT_HUB if isinstance(spec.weights, HubWeights) else _CONVERT)
    folder = WeightsFolder(
        directory=directory,
        config=small[CONFIG],
        tokenizer=small[TOKENIZER],
        tokenizer_config=small[_TOKENIZER_CONFIG],
        files=tuple(files.paths),
        shapes=files.shapes,
    )
    if not (directory / CONFIG).is_file():
        problems.append(Problem(where, "", "has no config.json", "put a folder in hub layout there"))
    elif folder.config:
        problems += _of_config(spec, f"{where}/{CONFIG}", folder)
        problems += foreign_requests.of_config(f"{where}/{CONFIG}", folder.config, len(folder.shapes))
    problems += files.problems
    problems += _of_names(where, folder)
    problems += _of_tokenizer(where, folder)
    problems += foreign_requests.of_tokenizer_config(f"{where}/{_TOKENIZER_CONFIG}", folder.tokenizer_config)
    return folder, problems


def _of_config(spec: BackboneSpec, where: str, folder: WeightsFolder) -> Iterator[Problem]:
    config = folder.config
    if (kind := config.get("model_type")) != spec.architecture:
        problem = f"is {kind!r}, the catalogue entry says architecture {spec.architecture!r}"
        yield Problem(where, "model_type", problem, "correct the entry, or the place of its weights")
    labels = config.get("id2label")
    numbered = isinstance(labels, dict) and all(str(key).isdecimal() for key in labels)
    if labels is not None and not numbered:
        got = f"a list of {len(labels)}" if isinstance(labels, list) else f"a {type(labels).__name__}"
        got = "other keys" if isinstance(labels, dict) else got
        problem = f"should be a mapping of class numbers to labels, got {got}"
        yield Problem(where, "id2label", problem, "remove it: every head is made for its task's labels")
    positions = position_rows(folder.shapes, config)
    for key, rows, too_many_are_wrong in (
        ("vocab_size", folder.rows, True),
        ("max_position_embeddings", positions, False),  # some classes make a longer table than the key says
        ("n_positions", positions, False),
        ("type_vocab_size", folder.token_types, True),
    ):
        value = config.get(key)
        if rows is None or not isinstance(value, int):
            continue
        if value > rows or (value < rows and too_many_are_wrong):
            problem = f"says {value:,}, and the weights have rows for {rows:,}"
            yield Problem(where, key, problem, "use config.json and weights of one model")


def _of_names(where: str, folder: WeightsFolder) -> Iterator[Problem]:
    for prefix in _WRAPPERS:
        names = [name for name in folder.shapes if name.startswith(prefix)]
        if names:
            problem = (
                f"{len(names):,} of {len(folder.shapes):,} weights begin with {prefix!r}: {listed(names)}"
            )
            fix = "save the model inside the wrapper (model.module.save_pretrained), or rename the weights"
            yield Problem(where, "", problem, fix)


def _of_tokenizer(where: str, folder: WeightsFolder) -> Iterator[Problem]:
    tokens, rows = folder.tokens, folder.rows
    if tokens is not None and rows is not None and tokens > rows:
        problem = f"the tokenizer has {tokens:,} tokens, the weights have rows for {rows:,}"
        fix = "resize_token_embeddings and save_pretrained, or bring the tokenizer that belongs to them"
        yield Problem(where, "", problem, fix)


def _numbers_second(processor: object) -> bool:
    """Return whether a step after tokenising gives the second text of a pair the number 1."""
    step = _mapping(processor)
    if step.get("type") == "Sequence":
        return any(_numbers_second(inner) for inner in _list(step.get("processors")))
    if step.get("type") == "TemplateProcessing":
        parts = [_mapping(value) for part in _list(step.get("pair")) for value in _mapping(part).values()]
        return any(part.get("type_id") not in (0, None) for part in parts)
    return step.get("type") == "BertProcessing"


def _json(where: str, path: Path, problems: list[Problem]) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict):
        return content
    problems.append(Problem(f"{where}/{path.name}", "", "is not a JSON object", "fetch it again"))
    return {}


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
