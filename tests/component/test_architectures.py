"""Every architecture of the catalogue as a tiny random model: it is made, loaded, padded and cut."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, cache_utils

from orchestrator.contracts.backbone import BackboneSpec, RandomWeights
from orchestrator.contracts.generated import made_root
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.requests import StageRequest
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import WeightsError
from workers.batches import collate
from workers.demo.tiny import ARCHITECTURES, DECODERS, STATE_SPACES, write_tiny
from workers.methods import adapt, count
from workers.models.backbones import build
from workers.models.weights import weights_directory
from workers.stage import stage
from workers.tasks import Encoded

LABELS = ("no", "yes", "perhaps")
KINDS = [TaskKind.CLASSIFICATION, TaskKind.NER]
TEXTS = ["no fever", "mild cough since monday and no fever today or ever before, nor a rash of any sort " * 2]

Tiny = Callable[..., BackboneSpec]


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them, staged as a sweep stages them."""
    cache = tmp_path_factory.mktemp("cache")
    answers = list(stage(StageRequest(cache_dir=str(cache), backbones=tuple(map(tiny, ARCHITECTURES)))))
    assert {answer.state for answer in answers} == {"made"}, answers
    return cache


def tiny(architecture: str, **fields: Any) -> BackboneSpec:
    weights = RandomWeights(architecture=architecture)
    return BackboneSpec(
        name=architecture, model="m", domain="d", architecture=architecture, weights=weights, **fields
    )


@pytest.fixture
def load(cache_dir: Path) -> Callable[..., Any]:
    def load(spec: BackboneSpec, kind: TaskKind = TaskKind.CLASSIFICATION) -> Any:
        torch.manual_seed(0)
        built = build(spec, weights_directory(spec, cache_dir, fetch=False), kind, LABELS)
        built.model.eval()
        return built

    return load


def encoded(tokenizer: Any) -> Encoded:
    ids = tokenizer(TEXTS)["input_ids"]
    return Encoded(input_ids=ids, labels=[0, 1], token_type_ids=None, truncated=0)


@torch.no_grad()
def logits(built: Any, rows: list[int], padding: int = 0) -> torch.Tensor:
    """Of the first of `rows`, on its own tokens only."""
    data = encoded(built.tokenizer)
    inputs, _ = collate(data, rows, built.tokenizer.pad_token_id, torch.device("cpu"))
    for name, filler in [("input_ids", built.tokenizer.pad_token_id), ("attention_mask", 0)]:
        inputs[name] = torch.nn.functional.pad(inputs[name], (0, padding), value=filler)
    row = built.model(**inputs).logits[0]
    return row if row.ndim == 1 else row[: len(data.input_ids[rows[0]])]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_does_not_change_logits(load: Any, architecture: str, kind: TaskKind) -> None:
    built = load(tiny(architecture), kind)
    alone = logits(built, [0])
    torch.testing.assert_close(logits(built, [0], padding=7), alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits(built, [0, 1]), alone, rtol=1e-4, atol=1e-5)
    other = logits(built, [1]).flatten()[-3:]  # of the last token, which in a decoder has seen the others
    assert not torch.allclose(other, alone.flatten()[-3:], atol=1e-3), "the text makes no difference"


@pytest.mark.parametrize("architecture", [*DECODERS, *STATE_SPACES])
def test_a_text_that_ends_in_the_padding_token_is_read_there(load: Any, architecture: str) -> None:
    built = load(tiny(architecture))
    ids = built.tokenizer(TEXTS[0])["input_ids"] + [built.tokenizer.pad_token_id] * 2
    shorter, whole = torch.tensor([ids[:-1]]), torch.tensor([ids])
    ones = torch.ones_like(whole)
    with torch.no_grad():
        end = built.model(input_ids=whole, attention_mask=ones).logits
        before = built.model(input_ids=shorter, attention_mask=ones[:, 1:]).logits
        padded = built.model(input_ids=whole, attention_mask=ones - torch.eye(len(ids))[-1:].long()).logits
        words = built.model.get_input_embeddings()(whole)
        embedded = built.model(inputs_embeds=words, attention_mask=ones).logits
    assert not torch.allclose(end, before, atol=1e-4)
    torch.testing.assert_close(padded, before, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(embedded, end, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [False, True], ids=["scoring", "training"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", [*DECODERS, *STATE_SPACES])
def test_no_keys_and_values_are_kept_for_later(
    load: Any, monkeypatch: pytest.MonkeyPatch, architecture: str, kind: TaskKind, training: bool
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a cache was filled")

    for layer in vars(cache_utils).values():
        for method in ("update", "update_conv_state", "update_recurrent_state"):
            if isinstance(layer, type) and method in vars(layer):
                monkeypatch.setattr(layer, method, refuse)
    model = load(tiny(architecture), kind).model.train(training)
    model(input_ids=torch.tensor([[7, 8, 9]]), attention_mask=torch.ones(1, 3, dtype=torch.long))


@pytest.mark.parametrize("architecture", DECODERS)
def test_what_is_saved_loads_in_transformers_alone(load: Any, architecture: str, tmp_path: Path) -> None:
    built = load(tiny(architecture))
    built.model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    inputs = AutoTokenizer.from_pretrained(made_tokenizer(built))(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        found, wanted = again(**inputs).logits, built.model(**inputs).logits
    torch.testing.assert_close(found, wanted)


def made_tokenizer(built: Any) -> str:
    return str(built.tokenizer.name_or_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", STATE_SPACES)
def test_a_state_space_model_learns_and_takes_lora(load: Any, architecture: str, kind: TaskKind) -> None:
    spec = tiny(architecture, lora_targets=("in_proj",))
    for settings in (Full(), Lora(rank=2)):
        built = load(spec, kind)
        adapted = adapt(built.model, settings, spec, kind, built.unsaved)
        inputs, _ = collate(
            encoded(built.tokenizer), [0, 1], built.tokenizer.pad_token_id, torch.device("cpu")
        )
        adapted.model(**inputs).logits.square().sum().backward()
        trained = [name for name, p in adapted.model.named_parameters() if p.requires_grad]
        still = [n for n in trained if adapted.model.get_parameter(n).grad is None]
        assert not still
        assert any("score" in name for name in trained)


def test_the_same_random_weights_are_the_same_files(tmp_path: Path) -> None:
    weights = [RandomWeights(architecture="llama"), RandomWeights(architecture="llama", seed=1)]
    contents = []
    for number, one in enumerate([weights[0], weights[0], weights[1]]):
        (place := tmp_path / str(number)).mkdir()
        state = torch.random.get_rng_state()
        write_tiny(one, place)
        assert torch.equal(torch.random.get_rng_state(), state)
        contents.append({file.name: file.read_bytes() for file in sorted(place.iterdir())})
    assert contents[0] == contents[1]
    assert contents[0]["model.safetensors"] != contents[2]["model.safetensors"]
    assert sum(map(len, contents[0].values())) < 400_000
    assert made_root(tmp_path, weights[0]) != made_root(tmp_path, weights[1])


def test_an_unknown_architecture_has_no_tiny_model(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"(?s)architecture 'lama'.*did you mean 'llama'"):
        write_tiny(RandomWeights(architecture="lama"), tmp_path)


@pytest.mark.parametrize(
    "architecture", ["bert", "roberta", "electra", "distilbert", "mobilebert", "llama", "gemma2", "mistral"]
)
def test_dropped_layers_are_gone_and_stay_so(load: Any, architecture: str, tmp_path: Path) -> None:
    whole, last = load(tiny(architecture)), load(tiny(architecture, keep_layers=(1,)))
    assert last.model.config.num_hidden_layers == 1
    assert count(last.model.parameters()) < count(whole.model.parameters())
    kept, dropped = (set(dict(b.model.named_parameters())) for b in (last, whole))
    assert kept < dropped
    for name, parameter in last.model.named_parameters():
        if ".0." in name and "attention" in name and name.endswith("weight"):
            torch.testing.assert_close(parameter, whole.model.get_parameter(name.replace(".0.", ".1.", 1)))
    last.model.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path).eval()
    inputs = last.tokenizer(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        torch.testing.assert_close(again(**inputs).logits, last.model(**inputs).logits)


def test_layers_that_are_not_there_and_architectures_that_share_them_are_refused(load: Any) -> None:
    with pytest.raises(WeightsError, match=r"(?s)bert: keep_layers names layer 2, the weights hold 2"):
        load(tiny("bert", keep_layers=(0, 2)))
    with pytest.raises(WeightsError, match=r"(?s)albert: .*architecture 'albert'"):
        load(tiny("albert", keep_layers=(0,)))


@cache
def parameters(architecture: str) -> int:
    from transformers import AutoConfig

    from workers.demo.tiny import tiny_config

    config: Any = tiny_config(architecture)
    assert isinstance(config, type(AutoConfig.for_model(architecture)))
    return count(AutoModelForSequenceClassification.from_config(config).parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_checked_as_the_entry_means_them(load: Any, kind: TaskKind) -> None:
    expected = parameters("bert")
    load(tiny("bert", parameters=expected), kind)
    message = f"(?s)backbone bert: .*expects {expected + 1:,} parameters.*has {expected:,}"
    with pytest.raises(WeightsError, match=message):
        load(tiny("bert", parameters=expected + 1), kind)
    with pytest.raises(WeightsError, match=f"expects {expected:,}"):
        load(tiny("bert", parameters=expected, keep_layers=(0,)), kind)


def test_a_quantised_base_needs_a_gpu(cache_dir: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    spec = tiny("llama")
    with pytest.raises(WeightsError, match=r"backbone llama: .*nf4 needs a GPU"):
        build(spec, weights_directory(spec, cache_dir, fetch=False), TaskKind.NER, LABELS, quantise="nf4")
