"""Weights that are not what they seem are refused before a device is booked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from weights_folders import (
    CONFIG,
    safetensors,
    write_catalogue,
    write_shards,
    write_sweep,
    write_tokenizer,
    write_weights,
)

from orchestrator.cli.app import app
from orchestrator.config import load_sweep
from orchestrator.config.weights_files import check_weights
from orchestrator.contracts.backbone import BackboneSpec, FolderWeights
from orchestrator.contracts.weights_folder import read_weights
from orchestrator.errors import ConfigError

Change = Callable[[Path], object]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0e1\nsize 440473133\n"


def refused(*words: str) -> str:
    """What a command says that is refused."""
    error = CliRunner().invoke(app, list(words)).exception
    assert isinstance(error, ConfigError)
    assert error.exit_code == 2
    return " ".join(str(error).split())


def plan_of(root: Path, weights: Path, *, pairs: bool = False, entry: Any = None, **sweep: Any) -> str:
    write_catalogue(root, str(weights), entry or {}, pairs=pairs)
    return refused("plan", str(write_sweep(root, **sweep)))


def found(root: Path, weights: Path, *, pairs: bool = False, entry: Any = None, **sweep: Any) -> list[str]:
    write_catalogue(root, str(weights), entry or {}, pairs=pairs)
    cells = load_sweep(write_sweep(root, **sweep), [], cwd=root).grid.cells
    return [str(problem) for problem in check_weights(cells, root / "cache")]


def change_config(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        (folder / "config.json").write_text(json.dumps(CONFIG | changes))

    return change


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def lose_a_shard(folder: Path) -> None:
    write_shards(folder, ("model-1.safetensors", "model-2.safetensors", "model-3.safetensors"))
    (folder / "model-2.safetensors").unlink()


def lose_all_shards(folder: Path) -> None:
    write_shards(folder)
    for shard in folder.glob("*.safetensors"):
        shard.unlink()


def lose_all_shards_and_break_the_rest(folder: Path) -> None:
    lose_all_shards(folder)
    change_config(id2label=["no", "yes"])(folder)
    (folder / "tokenizer.json").write_text(POINTER)


def empty_a_shard(folder: Path) -> None:
    write_shards(folder)
    (folder / "b.safetensors").write_bytes(safetensors({}))


def only_an_adapter(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text("{}")


def change_tokenizer_config(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        (folder / "tokenizer_config.json").write_text(json.dumps(changes))

    return change


def prefixed(prefix: str) -> Change:
    return lambda folder: write_weights(folder, prefix)


def pointer(name: str) -> Change:
    return lambda folder: (folder / name).write_text(POINTER)


MISTAKES: list[tuple[Change, list[str]]] = [
    (
        lambda f: write_tokenizer(f, ("asthmatic", "[NEW]")),
        ["has 8 tokens", "rows for 6", "-> resize_token_"],
    ),
    (change_config(id2label=["no", "yes"]), ["config.json: id2label", "a list of 2", "-> remove it"]),
    (change_config(id2label={"no": 0}), ["config.json: id2label", "other keys", "-> remove it"]),
    (change_config(vocab_size=9), ["config.json: vocab_size", "says 9", "rows for 6", "-> use config.json"]),
    (change_config(model_type="roberta"), ["model_type: is 'roberta'", "architecture 'bert'"]),
    (lambda f: (f / "config.json").write_text("[]"), ["config.json: is not a JSON object", "-> fetch it"]),
    (lambda f: (f / "config.json").unlink(), ["has no config.json"]),
    (lose_a_shard, ["names 3 files, and 1 are missing: model-2.safetensors", "-> copy or fetch"]),
    (lose_all_shards, ["names 2 files, and 2 are missing: a.safetensors, b.safetensors", "-> copy or fetch"]),
    (lose_all_shards_and_break_the_rest, ["2 are missing: a.saf", "a list of 2", "a pointer of git-lfs"]),
    (
        lambda f: (lose_all_shards(f), pointer("model.safetensors.index.json")(f)),
        ["model.safetensors.index.json: is a pointer of git-lfs"],
    ),
    (empty_a_shard, ["b.safetensors: lacks 2 of the tensors", "embeddings.position_embeddings.weight"]),
    (lambda f: write_shards(f, ("a.safetensors", "b.bin")), ["names b.bin", "-> convert the weights"]),
    (lambda f: write_shards(f, ("../a.safetensors", "b.safetensors")), ["names ../a.safetensors"]),
    (prefixed("module.bert."), ["4 of 4 weights begin with 'module.'", "-> save the model"]),
    (prefixed("_orig_mod.bert."), ["begin with '_orig_mod.'"]),
    (pointer("model.safetensors"), ["model.safetensors: is a pointer of git-lfs", "-> run `git lfs pull`"]),
    (pointer("tokenizer.json"), ["tokenizer.json: is a pointer of git-lfs"]),
    (cut, ["model.safetensors: is not a whole safetensors file: expected ", "-> fetch or make it again"]),
    (lambda f: (f / "model.safetensors").write_bytes(b""), ["its 0 bytes end inside the header"]),
    (lambda f: (f / "model.safetensors").write_bytes(b"\4" + bytes(7) + b"text"), ["header cannot be read"]),
    (only_an_adapter, ["holds an adapter (adapter_config.json) and no model", "-> merge the adapter"]),
    (lambda f: (f / "model.safetensors").rename(f / "w.safetensors"), ["only w.safetensors", "-> rename"]),
    (
        lambda f: (f / "model.safetensors").write_bytes(
            (100_000_001).to_bytes(8, "little") + bytes(100_000_001)
        ),
        ["a header of at most 100 MB, got 100,000,001"],
    ),
    (
        change_config(auto_map={"AutoModel": "evil.Model"}),
        ["config.json: auto_map: names code that came with the model, which is never run", "-> use weights"],
    ),
    (
        change_tokenizer_config(auto_map=["evil.Tokenizer", None]),
        ["tokenizer_config.json: auto_map: names code"],
    ),
    (
        change_tokenizer_config(tokenizer_class="BertTokenizer", vocab="/data/notes.txt"),
        ["tokenizer_config.json: vocab: names a file", "-> remove the key, and put vocab.txt"],
    ),
    (
        change_config(attn_implementation="owner/kernel"),
        ["config.json: attn_implementation: names a kernel of a hub", "-> remove the key"],
    ),
    (change_config(_attn_implementation_internal="a/b"), ["_attn_implementation_internal: names a kernel"]),
    (
        change_config(text_config={"_experts_implementation": {"": "eager", "moe": "owner/kernel:f"}}),
        ["config.json: text_config._experts_implementation: names a kernel"],
    ),
    (
        change_config(quantization_config={"quant_method": "bitsandbytes"}),
        ["config.json: quantization_config: says that the weights are quantised", "-> use weights that are"],
    ),
    (
        change_config(num_hidden_layers=100_000),
        ["num_hidden_layers: says 100,000 layers, and the weights have only 4 tensors", "-> use config.json"],
    ),
]


@pytest.mark.parametrize(("change", "words"), MISTAKES)
def test_a_folder_that_is_not_what_it_seems_is_refused(
    tmp_path: Path, change: Change, words: list[str]
) -> None:
    weights = write_weights(tmp_path / "weights")
    change(weights)
    told = " ".join(" ".join(found(tmp_path, weights)).split())
    for word in words:
        assert word in told
    assert f"backbone mine: {weights}" in told


def test_plan_and_inspect_say_all_of_it_at_once(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "weights", id2label=["a", "b"], max_position_embeddings=64)
    write_tokenizer(weights, ("asthmatic",))
    told = plan_of(tmp_path, weights, data_dir="nowhere")
    for words in (
        "4 mistakes",
        "data_dir",
        "id2label",
        "has 7 tokens",
        "max_length: the weights take 64 tokens",
    ):
        assert words in told
    storage = str(tmp_path / "sweeps")
    catalogue = str(tmp_path / "catalogue")
    told = refused("backbone", "inspect", "mine", "--catalogue", catalogue, "--storage", storage)
    assert "2 mistakes" in told
    assert "id2label" in told


def test_plan_says_which_shards_are_missing_where_all_are(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "weights")
    lose_all_shards_and_break_the_rest(weights)
    told = plan_of(tmp_path, weights)
    assert "3 mistakes" in told
    assert "2 are missing: a.safetensors, b.safetensors" in told
    assert "there is no *.safetensors" not in told


def test_a_whole_folder_is_fine(tmp_path: Path) -> None:
    """In one file and in shards; with an adapter beside it, and with more rows than tokens."""
    weights = write_weights(tmp_path / "weights", vocab_size=64)
    (weights / "adapter_config.json").write_text("{}")
    assert found(tmp_path, weights) == []
    write_shards(write_weights(tmp_path / "weights"))
    folder, problems = read_weights(_spec(weights), weights)
    assert problems == []
    assert (folder.rows, folder.positions, folder.token_types, folder.tokens) == (6, 160, 2, 6)
    assert folder.adapter


def _spec(weights: Path, architecture: str = "bert") -> BackboneSpec:
    here = FolderWeights(folder=str(weights))
    return BackboneSpec(name="mine", model="mine", domain="general", architecture=architecture, weights=here)


@pytest.mark.parametrize(
    ("entry", "sweep", "words"),
    [
        ({}, {}, "the weights take 64 tokens, the entry says 512, and mine/general/full/mine reads 128"),
        ({"max_length": 65}, {}, "the weights take 64 tokens, the entry says 65"),
        (
            {},
            {"methods": [{"name": "prompt", "virtual_tokens": 9}], "recipe": {"max_length": 60}},
            "reads 69, 9 of them virtual",
        ),
    ],
)
def test_fewer_positions_than_are_asked_for_are_refused(
    tmp_path: Path, entry: Any, sweep: Any, words: str
) -> None:
    weights = write_weights(tmp_path / "weights", max_position_embeddings=64)
    [told] = found(tmp_path, weights, entry=entry, **sweep)
    assert told.startswith(
        f"backbone mine: max_length: {words}" if "virtual" not in words else "backbone mine"
    )
    assert words in told
    assert "-> set max_length: 64 in its entry" in told


@pytest.mark.parametrize("entry", [{}, {"max_length": 64}])
def test_texts_that_fit_are_fine(tmp_path: Path, entry: Any) -> None:
    """Sixty tokens and four virtual ones, for an entry that says nothing; any text for one that says 64."""
    weights = write_weights(tmp_path / "weights", max_position_embeddings=64)
    prompt = {"name": "prompt", "virtual_tokens": 4}
    recipe = {} if entry else {"max_length": 60}
    assert found(tmp_path, weights, entry=entry, methods=[prompt], recipe=recipe) == []


@pytest.mark.parametrize(
    ("architecture", "pad", "taken"),
    [
        ("roberta", 1, 62),
        ("xlm-roberta", 0, 63),
        ("camembert", 1, 62),
        ("xmod", 1, 62),
        ("xlm-roberta-xl", 1, 62),
        ("data2vec-text", 1, 62),
        ("roberta-prelayernorm", 1, 62),
        ("ibert", 1, 62),
        ("luke", 1, 62),
        ("esm", 1, 62),
        ("mpnet", 0, 62),  # whose code says 1, whatever the configuration says
        ("bert", 0, 64),
    ],
)
def test_kin_of_roberta_take_fewer_tokens_than_the_table_has_rows(
    tmp_path: Path, architecture: str, pad: int, taken: int
) -> None:
    changes = {"model_type": architecture, "max_position_embeddings": 64, "pad_token_id": pad}
    weights = write_weights(tmp_path / "weights", "roberta.", **changes)
    folder, problems = read_weights(_spec(weights, architecture), weights)
    assert (folder.positions, problems) == (taken, [])


@pytest.mark.parametrize(
    ("architecture", "table"),
    [
        ("nystromformer", "embeddings.position_embeddings"),
        ("yoso", "embeddings.position_embeddings"),
        ("mra", "embeddings.position_embeddings"),
        ("opt", "decoder.embed_positions"),
        ("biogpt", "embed_positions"),
    ],
)
@pytest.mark.parametrize(("rows", "said"), [(66, 0), (65, 1)])
def test_a_table_with_two_rows_before_the_first_position_is_whole(
    tmp_path: Path, architecture: str, table: str, rows: int, said: int
) -> None:
    changes = {"model_type": architecture, "max_position_embeddings": 64}
    weights = write_weights(tmp_path / "weights", **changes)
    (weights / "model.safetensors").write_bytes(safetensors({f"model.{table}.weight": (rows, 4)}))
    folder, problems = read_weights(_spec(weights, architecture), weights)
    assert folder.positions == rows - 2
    assert [str(p).partition("\n")[0].partition("config.json: ")[2] for p in problems] == [
        "max_position_embeddings: says 64, and the weights have rows for 63"
    ] * said


@pytest.mark.parametrize(("rows", "wrong"), [(160, False), (200, False), (159, True)])
def test_only_a_table_of_positions_that_is_too_short_is_refused(
    tmp_path: Path, rows: int, wrong: bool
) -> None:
    """A longer one some class may make, and the built model's shapes decide."""
    weights = write_weights(tmp_path / "weights", max_position_embeddings=rows)
    change_config(max_position_embeddings=160)(weights)
    told = "".join(found(tmp_path, weights))
    assert ("max_position_embeddings: says 160, and the weights have rows for 159" in told) == wrong
    assert bool(told) == wrong


def test_one_token_type_is_refused_where_texts_come_in_pairs(tmp_path: Path) -> None:
    weights = write_weights(tmp_path / "weights", type_vocab_size=1)
    [told] = found(tmp_path, weights, pairs=True)
    assert "config.json: type_vocab_size: is 1" in told
    assert "mine has pairs of texts" in told
    assert "-> use weights with type_vocab_size: 2" in told


@pytest.mark.parametrize(
    ("kind", "architecture"),
    [
        ("BertTokenizerFast", "roberta"),
        ("ConvBertTokenizer", "convbert"),
        ("DebertaV2TokenizerFast", "deberta-v2"),
        ("LayoutLMTokenizerFast", "layoutlm"),
        ("FNetTokenizer", "fnet"),
        ("", "deberta-v2"),
        ("", "megatron-bert"),
    ],
)
def test_tokenizers_that_number_the_second_text_are_known(
    tmp_path: Path, kind: str, architecture: str
) -> None:
    weights = write_weights(tmp_path / "weights", model_type=architecture)
    write_tokenizer(weights, kind=kind)
    assert read_weights(_spec(weights, architecture), weights)[0].numbers_texts


@pytest.mark.parametrize(
    "kind",
    [
        "RobertaTokenizer",
        "PreTrainedTokenizerFast",
        "AlbertTokenizerFast",
        "BertGenerationTokenizer",
        "BigBirdTokenizer",
        "RemBertTokenizerFast",
    ],
)
def test_one_token_type_is_enough_where_nothing_numbers_the_second_text(tmp_path: Path, kind: str) -> None:
    weights = write_weights(tmp_path / "weights", type_vocab_size=1)
    write_tokenizer(weights, kind=kind)
    assert found(tmp_path, weights, pairs=True) == []


def test_one_token_type_is_enough_for_single_texts(tmp_path: Path) -> None:
    assert found(tmp_path, write_weights(tmp_path / "weights", type_vocab_size=1)) == []


def test_staged_weights_of_a_hub_are_looked_into(tmp_path: Path) -> None:
    snapshot = tmp_path / "cache" / "hub" / "models--some--where" / "snapshots" / ("0" * 40)
    write_weights(snapshot, id2label=["a", "b"])
    references = snapshot.parents[1] / "refs"
    references.mkdir()
    (references / "main").write_text("0" * 40)
    for revision, mistakes in (("main", 1), ("0" * 40, 1), ("v2", 0)):
        entry = {"weights": {"kind": "hub", "hub": "some/where", "revision": revision}}
        root = tmp_path / revision
        root.mkdir()
        write_catalogue(root, "", entry)
        cells = load_sweep(write_sweep(root), [], cwd=root).grid.cells
        assert len(check_weights(cells, tmp_path / "cache")) == mistakes
