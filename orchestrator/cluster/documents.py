"""Kubernetes objects as plain data: read from a file, a directory, or an overlay that kustomize renders."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import yaml

import orchestrator
from orchestrator.errors import ConfigError, LaunchError, Problem, did_you_mean
from orchestrator.text_files import control_characters, read_text

KubeObject: TypeAlias = dict[str, Any]  # one of the API, or a part; `checks.schema` judges its shape
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """One object. `where`: the file or overlay that it came from."""

    where: str
    body: KubeObject

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def group(self) -> str:
        """Return the API group, say `ray.io`; "" for the core."""
        version = str(self.body.get("apiVersion", ""))
        return version.split("/")[0] if "/" in version else ""

    @cached_property
    def metadata(self) -> KubeObject:
        return mapping(self.body.get("metadata"))

    @property
    def name(self) -> str:
        return str(self.metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        return str(self.metadata.get("namespace", ""))

    @property
    def annotations(self) -> KubeObject:
        return mapping(self.metadata.get("annotations"))

    @property
    def spec(self) -> KubeObject:
        return mapping(self.body.get("spec"))

    def problem_at(self, key: str, problem: str, fix: str) -> Problem:
        """`key`: the dotted path inside the object."""
        return Problem(f"{self.where}: {self.kind}/{self.name}", key, problem, fix)


def mapping(value: object) -> KubeObject:
    """Return the value where it is a mapping, else an empty one: the schema reports a wrong shape."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[KubeObject]:
    """The mappings of a list, each at its place; likewise forgiving."""
    return [mapping(item) for item in value] if isinstance(value, list) else []


def get(value: object, *keys: str) -> Any:
    """Return the value below these keys, or None."""
    for key in keys:
        value = mapping(value).get(key)
    return value


def of_kind(documents: Iterable[Document], *kinds: str) -> list[Document]:
    return [document for document in documents if document.kind in kinds]


def parse_documents(text: str, where: str) -> list[Document]:
    """All documents of a YAML stream. Raises ConfigError where it is none, or holds what is no object."""
    if foreign := control_characters(text, where):
        raise ConfigError(foreign)
    try:
        bodies = [body for body in yaml.load_all(text, Loader=_Loader) if body is not None]
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
        deep = isinstance(error, RecursionError)
        problem = "is nested too deeply" if deep else "is no YAML"
        fix = "correct its indentation, quotes and brackets"
        raise ConfigError([Problem(where, "", problem, fix, line=line, column=column)]) from None
    wrong = [body for body in bodies if not isinstance(body, dict) or "kind" not in body]
    if wrong:
        raise ConfigError(
            [Problem(where, "", "holds what is no Kubernetes object", "give each apiVersion and kind")]
        )
    return [Document(where, body) for body in bodies]


def manifests_root() -> Path:
    """`k8s/`: in the package when installed, else beside it."""
    package = Path(orchestrator.__file__).parent
    packaged = package / "k8s"
    return packaged if packaged.is_dir() else package.parent / "k8s"


def overlays() -> list[str]:
    return sorted(path.parent.name for path in manifests_root().glob("overlays/*/kustomization.yaml"))


def load_documents(source: str) -> list[Document]:
    """The objects of an overlay of ours by its name, of a kustomization's directory, of a plain directory of
    YAML, or of a file. Raises ConfigError for what is none of them, LaunchError where kustomize is needed and
    not there."""
    path = Path(source)
    overlay = manifests_root() / "overlays" / source
    if (overlay / "kustomization.yaml").is_file():
        return parse_documents(_kustomize(overlay), source)
    if (path / "kustomization.yaml").is_file():
        return parse_documents(_kustomize(path), source)
    if path.is_dir():
        files = sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")])
        return [document for file in files for document in parse_documents(read_text(file), str(file))]
    if path.is_file():
        return parse_documents(read_text(path), source)
    fix = f"{did_you_mean(source, overlays())} (or give a directory or a file)"
    raise ConfigError([Problem("command line", source, "is no overlay, directory or file", fix)])


def _kustomize(directory: Path) -> str:
    commands = (["kubectl", "kustomize"], ["kustomize", "build"])
    command = next((c for c in commands if shutil.which(c[0])), None)
    if command is None:
        raise LaunchError(
            f"{directory} is a kustomization, and neither kubectl nor kustomize is on this machine\n"
            "    -> install kubectl, or render it elsewhere (kubectl kustomize DIR > FILE) and give the file"
        )
    done = subprocess.run(
        [*command, str(directory)], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        first = done.stderr.strip().splitlines()[-1:] or ["no reason was given"]
        raise ConfigError(
            [Problem(str(directory), "", f"kustomize: {first[0]}", "correct the kustomization")]
        )
    return done.stdout


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks; quotes around what any reader could take for a number."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else "'" if value[:1] in _LIKE_A_NUMBER else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_LIKE_A_NUMBER = tuple("0123456789+-.~")
_Dumper.add_representer(str, _text)


def dump(*bodies: KubeObject) -> str:
    """YAML; the same objects give the same bytes, keys sorted."""
    return yaml.dump_all(
        bodies,
        Dumper=_Dumper,
        sort_keys=True,
        explicit_start=len(bodies) > 1,
        allow_unicode=True,
        width=110,
    )
