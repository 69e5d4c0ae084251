"""What a method asks of a backbone's shape, told in the plan and not on a booked GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import load_catalogue, load_sweep

BACKBONES = {backbone.name: backbone for backbone in load_catalogue().backbones.values()}
ONE: dict[str, Any] = {"models": ["tiny"], "domains": ["general"], "tasks": ["mts-dialog"]}


def reasons(load: Any, method: dict[str, Any], model: str = "tiny") -> list[str]:
    keys = ONE | {"models": [model], "methods": ["full", method]}
    return [refused.reason for refused in load(**keys).grid.refused]


@pytest.mark.parametrize(
    ("model", "method", "words"),
    [
        ("tiny", {"name": "prompt", "virtual_tokens": 504}, None),
        ("tiny", {"name": "prompt", "virtual_tokens": 505}, "virtual_tokens 505 of the 512"),
        ("tiny", {"name": "p-tuning", "virtual_tokens": 600}, "leave -88 for the text, and it needs 8"),
        ("tiny", {"name": "top-layers", "layers": 4}, None),
        ("tiny", {"name": "top-layers", "layers": 5}, "layers: 5, and tinybert has 4"),
        ("base-6l", {"name": "top-layers", "layers": 7}, "bert-base-6l has 6"),
        ("distil", {"name": "top-layers", "layers": 7}, "distilbert has 6"),
        ("demo-tiny", {"name": "top-layers", "layers": 99}, "demo-tiny-general has"),
        ("tiny", {"name": "oft", "block_size": 8}, None),
        ("tiny", {"name": "oft", "block_size": 7}, "block_size 7 does not divide 312, 4 are left over"),
        ("distil", {"name": "oft", "block_size": 500}, "does not divide 768, 268"),
        ("mobile", {"name": "oft", "block_size": 128}, None),
        ("mobile", {"name": "oft", "block_size": 256}, "the 128 inputs of a projection of mobilebert"),
        ("tiny", {"name": "boft", "block_size": 4, "factors": 2}, None),
        (
            "tiny",
            {"name": "boft", "block_size": 4, "factors": 3},
            "4 x 2^2 of factors 3 = 16 does not divide",
        ),
        ("tiny", {"name": "boft", "block_size": 3, "factors": 2}, "block_size 3 is odd"),
    ],
)
def test_a_method_that_cannot_stand_on_a_shape_is_refused_with_the_arithmetic(
    load: Any, model: str, method: dict[str, Any], words: str | None
) -> None:
    found = reasons(load, method, model)
    assert not found if words is None else [words in reason for reason in found] == [True]


@pytest.mark.parametrize(
    ("method", "space", "words"),
    [
        ("prompt", {"virtual_tokens": {"low": 5, "high": 600}}, "would try virtual_tokens 600: virtual"),
        ("top-layers", {"layers": [2, 9], "learning_rate": [1e-4, 1e-3]}, "would try layers 9: top-layers"),
        ("oft", {"block_size": [8, 9]}, "would try block_size 9: oft cuts the 312"),
    ],
)
def test_so_is_a_search_that_would_try_it(load: Any, method: str, space: Any, words: str) -> None:
    [reason] = reasons(load, {"name": method, "tune": {"space": space}})
    assert words in reason


def test_a_search_may_not_reach_for_modules_that_the_architecture_lacks(load: Any) -> None:
    method = {"name": "lora", "tune": {"space": {"targets": ["usual", "attention"]}}}
    [reason] = reasons(load, method, "mamba-130m")
    assert "would try targets attention: " in reason


def test_at_smoke_size_every_shape_fits_the_tiny_models(tmp_path: Path) -> None:
    text = (
        "name: s\nmodels: [base-6l]\ndomains: [general]\ntasks: [mts-dialog-8]\nmethods:\n"
        "  - {name: top-layers, layers: 5}\n  - {name: oft, block_size: 48}\n"
        "  - {name: boft, block_size: 6, factors: 3}\n  - {name: prompt, virtual_tokens: 100}\n"
        "  - {name: prompt, virtual_tokens: 450}\n"
        "  - {name: top-layers, tune: {space: {layers: [1, 4], learning_rate: [1e-4, 1e-3]}}}\n"
    )
    (tmp_path / "s.yaml").write_text(text)
    small = load_sweep(tmp_path / "s.yaml", cwd=tmp_path, smoke=True).grid
    settings = {c.cell.method: c.variant.spec.settings.model_dump() for c in small.cells}
    assert settings["top-layers-layers5"]["layers"] == 1
    assert (settings["oft-block_size48"]["block_size"], settings["boft-block_size6-factors3"]["factors"]) == (
        4,
        1,
    )
    assert settings["prompt-virtual_tokens100"]["virtual_tokens"] == 100
    [tuned] = [c.tune for c in small.cells if c.tune is not None]
    assert set(tuned.space) == {"learning_rate"}
    assert [("450" in r.reason, "448" in r.reason) for r in small.refused] == [(True, True)]
