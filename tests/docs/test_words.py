"""Words that read badly stay out of documents, docstrings and messages."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md")]
DOCUMENTS += [ROOT / "configs/README.md", ROOT / "k8s/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted(path for package in ("orchestrator", "workers") for path in (ROOT / package).rglob("*.py"))

# Each word with what to write instead. They are matched without regard to case, across line breaks.
WORDS = {
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\bhangs? on\b": "depends on",
    r"\bfor want of\b": "because … is missing",
    r"\bwho would\b": "say who does what",
    r"\bas for the\b": "a sentence about this thing",
    r"\bremed(y|ies)\b": "fix",
    r"\bways? out\b": "options",
    r"\btold apart\b": "distinguishable",
    r"\bmisfits?\b": "problem",
    r"\bbilled apart\b": "billed separately",
    r"\bone row a point\b": "per point",
    r"\bof these\b[^.]*\balone\b": "only",
    r"\banew\b": "again",
    r"\bat work\b": "running",
    r"(?<!chief )\bcomplain(s|ed|t|ts)?\b": "problem",
    r"\bgo(es)? on\b": "continues",
    r"\bwhoever\b": "the user who …",
    r"\bnobody\b": "no … does",
    r"(?<!hard to )\bstands? (in|beside|under|for|at)\b": "is in, has",
    r"\blies? (in|beside|at|below|outside)\b": "is in",
}


@cache
def _strings() -> list[tuple[str, str]]:
    """Return each string of the code with its file and line, docstrings included."""
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node.value)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def _hits(pattern: str, text: str) -> list[str]:
    flat = re.sub(r"\s+", " ", text)
    return [match.group(0) for match in re.finditer(pattern, flat, re.IGNORECASE)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_have_none_of_the_words(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    assert {hit: WORDS[pattern] for pattern in WORDS for hit in _hits(pattern, text)} == {}


@pytest.mark.parametrize("pattern", sorted(WORDS))
def test_strings_of_the_code_have_none_of_the_words(pattern: str) -> None:
    hits = [
        f"{place}: {hit} -> {WORDS[pattern]}" for place, text in _strings() for hit in _hits(pattern, text)
    ]
    assert hits == []
