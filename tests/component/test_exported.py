"""What leaves the house answers without Frontier as it did in its trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from exported_models import exported, use_of, without_frontier

from orchestrator.contracts.exported import ExportRequest, WeightsLayout
from orchestrator.contracts.methods.low_rank import AdaLora, Lora, Vera
from orchestrator.contracts.methods.multiplicative import Boft, Ia3, Oft
from orchestrator.contracts.methods.virtual_tokens import Prefix, Prompt, PTuning
from orchestrator.contracts.methods.weights import BitFit, Full, HeadOnly
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import InputError
from workers.exported.folder import write_folder
from workers.exported.proof import prove

_NER, _TEXTS = TaskKind.NER, TaskKind.CLASSIFICATION
# A method of each family, and what each does with the end of a text.
SETTINGS = [Full(), HeadOnly(), BitFit(), Lora(rank=2, dora=True), AdaLora(rank=2), Vera(rank=8), Ia3()]
SETTINGS += [Oft(block_size=4), Boft(block_size=4, factors=1)]
SETTINGS += [
    Prefix(virtual_tokens=3),
    Prompt(virtual_tokens=3),
    PTuning(virtual_tokens=3, encoder_hidden_size=8),
]
CASES = [
    *(("bert", settings, _NER) for settings in SETTINGS),
    ("bert", Lora(rank=2), TaskKind.RELATION),
    *(
        ("llama", s, _TEXTS)
        for s in (Full(), Lora(rank=2), Prefix(virtual_tokens=3), Prompt(virtual_tokens=3))
    ),
    ("llama", Lora(rank=2), _NER),
]


def name_of(case: Any) -> str:
    architecture, settings, kind = case
    return f"{architecture}-{settings.kind}-{kind}"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Each case exported, and what its snippet answered in a process of its own for all of them."""
    made = {}
    for case in CASES:
        root = tmp_path_factory.mktemp("export")
        made[name_of(case)] = (root, *exported(root, *case))
    root = tmp_path_factory.mktemp("merged")
    made["merged"] = (root, *exported(root, "bert", Lora(rank=2), _TEXTS, merge=True))
    answers = without_frontier(
        {out: (w.program.load + w.program.answer, w.rows) for _, _, out, w in made.values()}
    )
    return {name: (*parts, answers[parts[2]]) for name, parts in made.items()}


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_snippet_of_a_card_runs_without_frontier(folders: dict[str, Any], case: Any) -> None:
    _, use, _, written, ran = folders[name_of(case)]
    rows = ran["probabilities"] if use.kind is _NER else [ran["probabilities"]]
    assert all(len(row) == len(use.labels) and sum(row) == pytest.approx(1, abs=1e-4) for row in rows)
    assert ran["printed"].splitlines()
    for logits, expected in zip(ran["logits"], written.logits, strict=True):
        assert torch.allclose(torch.tensor(logits), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_an_export_names_no_path_of_this_machine(folders: dict[str, Any], case: Any) -> None:
    root, use, out, _, _ = folders[name_of(case)]
    foreign = [str(root), use.backbone.weights.folder]
    for path in [p for p in out.rglob("*") if p.suffix in (".json", ".txt", ".md")]:
        assert [place for place in foreign if place in path.read_text()] == [], path


def test_what_a_method_trains_of_the_model_itself_is_exported_as_a_whole_model(
    folders: dict[str, Any],
) -> None:
    layouts = {name: parts[3].layout for name, parts in folders.items()}
    whole = {name for name, layout in layouts.items() if layout is WeightsLayout.WHOLE}
    kinds = ("full", "head-only", "bitfit")
    assert whole == {name for name in folders if name.partition("-")[2].startswith(kinds)} | {"merged"}


def test_lora_is_merged_and_its_logits_agree(folders: dict[str, Any]) -> None:
    _, _, out, written, ran = folders["merged"]
    assert (written.layout, written.has_base) == (WeightsLayout.WHOLE, False)
    assert not (out / "adapter_config.json").exists()
    for logits, expected in zip(ran["logits"], written.logits, strict=True):
        assert torch.allclose(torch.tensor(logits), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("settings", [HeadOnly(), Prefix(virtual_tokens=3)], ids=lambda s: s.kind)
def test_what_cannot_be_merged_is_refused(tmp_path: Path, settings: Any) -> None:
    with pytest.raises(InputError, match="--merge") as refused:
        exported(tmp_path, "bert", settings, _TEXTS, merge=True)
    assert "-> remove --merge" in str(refused.value)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("quantise", ["nf4", "int8"])
def test_an_adapter_of_a_quantised_base_is_not_merged(
    tmp_path: Path, quantise: Literal["nf4", "int8"]
) -> None:
    exported(tmp_path, "bert", Lora(rank=2), _TEXTS)
    use = use_of("bert", Lora(rank=2, quantise=quantise), _TEXTS)
    request = ExportRequest(
        use=use,
        kept=str(tmp_path / "kept"),
        cache_dir=str(tmp_path),
        out=str(tmp_path / "merged"),
        merge=True,
    )
    with pytest.raises(InputError, match=f"--merge: it was trained on a base in {quantise}") as refused:
        write_folder(request)
    assert "-> remove --merge" in str(refused.value)


def test_a_model_without_a_head_in_transformers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="AutoModelForSequenceClassification"):
        exported(tmp_path, "mamba", HeadOnly(), _TEXTS)


def test_what_peft_alone_would_answer_otherwise_is_refused(tmp_path: Path) -> None:
    """PEFT takes one butterfly factor instead of two where its CUDA extension is missing; Frontier does
    not."""
    _, out, written = exported(tmp_path, "bert", Boft(block_size=4, factors=2), _TEXTS)
    with pytest.raises(InputError, match="without Frontier") as refused:
        prove(out, written.program.load, written.rows, written.logits, tmp_path)
    assert "--merge" in str(refused.value)
