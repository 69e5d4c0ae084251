"""The overlays as kustomize rendered them, so that the tests of the manifests need no kubectl."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path

from orchestrator.cluster.documents import Document, load_documents, of_kind

GOLDEN = Path(__file__).parent / "manifests" / "golden"
OVERLAYS = sorted(path.stem for path in GOLDEN.glob("*.yaml"))


@cache
def _loaded(name: str) -> list[Document]:
    return load_documents(str(GOLDEN / f"{name}.yaml"))


def overlay(name: str) -> list[Document]:
    """The objects of an overlay, free to be changed."""
    return [Document(name, copy.deepcopy(document.body)) for document in _loaded(name)]


def template(name: str) -> Document:
    return of_kind(overlay(name), "RayJob")[0]
