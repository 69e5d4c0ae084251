"""The capability table, asked before anything is booked."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.config import load_catalogue
from orchestrator.config.capabilities import load_capabilities
from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.methods import METHODS
from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.methods.multiplicative import Ia3, Oft
from orchestrator.contracts.methods.virtual_tokens import Prefix
from orchestrator.contracts.methods.weights import BitFit, Full
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import ConfigError

TABLE = load_capabilities()
HEADER = "architecture,method,task_kind,supported,reason\n"


def backbone(architecture):
    weights = HubWeights(hub="nobody/nothing")
    return BackboneSpec(name="b", model="m", domain="d", architecture=architecture, weights=weights)


def refusal(architecture, settings, kind=TaskKind.NER, gpus=0.0):
    return TABLE.refusal(backbone(architecture), settings, kind, gpus)


def test_it_covers_the_catalogue():
    catalogue = load_catalogue()
    architectures = {spec.architecture for spec in catalogue.backbones.values()}
    methods = {method.model_fields["kind"].default for method in METHODS}
    methods |= {name for entry in catalogue.methods.values() for name in entry.settings.table_rows()}
    lacking = [
        (architecture, method, kind)
        for architecture in sorted(architectures)
        for method in sorted(methods)
        for kind in TaskKind
        if (architecture, method, kind) not in TABLE.rows
    ]
    assert lacking == []


@pytest.mark.parametrize(
    ("architecture", "settings", "words"),
    [
        ("bert", Full(), None),
        ("llama", BitFit(), "bias vectors"),
        ("mobilebert", Prefix(), "keys and values"),
        ("bert", Prefix(), None),
        ("gpt2", Oft(), "rotate"),
        ("mamba", Lora(targets="attention"), "attention"),
        ("mamba", Lora(targets="attention", dora=True), "attention"),
        ("mamba", Lora(), None),
        ("never-heard-of", Ia3(), None),
    ],
)
def test_a_cell_that_cannot_run_has_its_reason(architecture, settings, words):
    found = refusal(architecture, settings)
    assert found is None if words is None else words in found


def test_a_quantised_base_needs_a_gpu():
    settings = Lora(quantise="nf4")
    assert "needs a GPU" in refusal("llama", settings)
    assert refusal("llama", settings, gpus=0.5) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such table"),
        ("", "first line"),
        ("architecture,method\n", "first line"),
        (HEADER + "bert,full,ner,maybe,\n", "line 2: is not a row"),
        (HEADER + "bert,full,ner,no,\n", "line 2: is not a row"),
        (HEADER + "bert,full,ner,yes,\nbert,full\n", "line 3: is not a row"),
    ],
)
def test_a_damaged_table_says_how_to_write_it_anew(tmp_path, text, words):
    path = tmp_path / "table.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=words) as refused:
        load_capabilities(path)
    assert "python -m workers.capabilities" in str(refused.value)


def test_the_command_shows_it():
    shown = CliRunner().invoke(app, ["capabilities"], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert "lora+rank-stabilised" in shown.stdout
    assert "it has no bias vectors" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    rows = json.loads(
        CliRunner()
        .invoke(app, ["capabilities", "--method", "lora", "--architecture", "mamba", "--json"])
        .stdout
    )
    assert {row["method"].split("+")[0] for row in rows} == {"lora"}
    assert [row["task_kind"] for row in rows if not row["supported"]] == [
        "classification",
        "multilabel",
        "ner",
        "regression",
        "relation",
    ]


def test_the_command_refuses_what_is_not_in_the_table():
    failed = CliRunner().invoke(app, ["capabilities", "--architecture", "brt"])
    assert isinstance(failed.exception, ConfigError)
    assert "did you mean 'bert'" in str(failed.exception)
