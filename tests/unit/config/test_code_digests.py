"""The digest of code: what changes it, and what is remembered of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.contracts import code_digests
from orchestrator.contracts.code_digests import code_digest, remember_digests


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "module.py"
    file.write_text("def half(x):\n    return x / 2\n")
    return file


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    remember_digests(tmp_path / "own")
    yield tmp_path / "own"
    code_digests._MEMORY.directory = None


def test_a_comment_leaves_the_digest_and_a_statement_changes_it(source: Path) -> None:
    before = code_digest([source])
    source.write_text('def half(x):\n    """Halve."""\n    return x/2  # exact\n')
    assert code_digest([source]) == before
    source.write_text("def half(x):\n    return x / 3\n")
    assert code_digest([source]) != before


def test_a_remembered_digest_is_that_of_the_same_bytes_only(source: Path, memory: Path) -> None:
    first = code_digest([source])
    assert list(json.loads((memory / "code-digests.json").read_text()).values()) == [first]
    assert code_digest([source]) == first
    source.write_text("def half(x):\n    return x / 3\n")
    assert code_digest([source]) != first


@pytest.mark.parametrize("damaged", ["", "[]", '{"a": 1}', "\0"])
def test_a_damaged_memory_is_replaced(source: Path, memory: Path, damaged: str) -> None:
    expected = code_digest([source])
    (memory / "code-digests.json").write_text(damaged)
    assert code_digest([source]) == expected
    assert list(json.loads((memory / "code-digests.json").read_text()).values()) == [expected]


def test_a_memory_that_cannot_be_written_changes_nothing(source: Path, tmp_path: Path) -> None:
    expected = code_digest([source])
    (tmp_path / "file").write_text("")
    remember_digests(tmp_path / "file" / "own")
    try:
        assert code_digest([source]) == expected
    finally:
        code_digests._MEMORY.directory = None
