"""The Dockerfiles: what they install is what the lock pins and what the manifests and documents ask for.

No image is built here; what pip would be given is read from the files.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sqlalchemy.engine import make_url

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "k8s" / "images"
FILES = sorted(IMAGES.glob("*Dockerfile"))
HASHED = ("cuda", "cpu", "mlflow", "build")  # as `make lock` writes them
LOCKED = {
    canonicalize_name(name): version
    for name, version in (line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# The driver asks MLflow's server, and that one has the database; mamba's kernels are built with nvcc.
NOT_IN_PODS = {"dev", "postgres", "ssm"}
SEPARATORS = re.compile(r"&&|;|\bthen\b|\belse\b|\bfi\b")


def _commands(file: Path) -> Iterator[list[str]]:
    """The words of each `pip install`."""
    for line in re.sub(r"\\\n(\s*#.*\n)*", " ", file.read_text()).splitlines():
        for part in SEPARATORS.split(line.removeprefix("RUN ")):
            if "pip install" in part:
                yield shlex.split(part.strip())[2:]


def _asked(words: list[str]) -> list[str]:
    """The requirements among the words; those with options take one word each."""
    valued = ("--requirement", "--index-url")
    return [
        word
        for before, word in zip(["", *words], words, strict=False)
        if not word.startswith("-") and before not in valued
    ]


def _argument(file: Path, name: str) -> str:
    found = re.search(rf'^(?:ARG )?{name}="?([^"\n]*)"?$', file.read_text(), re.MULTILINE)
    assert found is not None, f"{file.name} has no {name}"
    return found[1]


def _of_project(torch: str) -> list[Requirement]:
    """What k8s/images/requirements.py prints for the extras of the image."""
    extras = _argument(ROOT / ".ci" / "lock", "EXTRAS").split()
    if torch == "cuda":
        extras += _argument(ROOT / ".ci" / "lock", "CUDA_EXTRAS").split()
    command = [sys.executable, IMAGES / "requirements.py", *extras]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [Requirement(line) for line in done.stdout.splitlines()]


def _of_lock(name: str) -> list[Requirement]:
    return [Requirement(word) for word in _argument(ROOT / ".ci" / "lock", name).split()]


def _hashed(file: str) -> dict[str, str]:
    """Versions of the packages of a file that `make lock` wrote, each of which has hashes."""
    entries = re.split(r"\n(?=\S)", (IMAGES / f"{file}.txt").read_text().strip())
    assert all(entry.startswith("#") or "--hash=sha256:" in entry for entry in entries)
    pins = [entry.split(maxsplit=1)[0].split("==") for entry in entries if not entry.startswith("#")]
    return {canonicalize_name(name): version for name, version in pins}


def _with_all_they_need(requirements: list[Requirement]) -> set[str]:
    """The names of the requirements and of all that they need here, as far as it is installed."""
    needed: dict[str, set[str]] = {}
    left = list(requirements)
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        extras = {"", *requirement.extras}
        if name in needed and extras <= needed[name]:
            continue
        needed[name] = needed.get(name, set()) | extras
        try:
            lines = map(Requirement, requires(requirement.name) or [])
        except PackageNotFoundError:
            continue
        left += [
            r for r in lines if not r.marker or any(r.marker.evaluate({"extra": e}) for e in needed[name])
        ]
    return set(needed)


def _names(requirements: list[Requirement]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_pip_installs_nothing_but_what_the_lock_pins(file: Path) -> None:
    commands = list(_commands(file))
    assert commands
    for words in commands:
        assert "--no-deps" in words, f"{file.name}: {' '.join(words)}"
        assert "--require-hashes" in words or _asked(words) in (["dist/*.whl"], ["$torch"]), words
    assert any("--require-hashes" in words for words in commands)


def test_the_projects_own_wheel_is_built_by_hashed_packages_that_are_not_shipped() -> None:
    text = (IMAGES / "Dockerfile").read_text()
    assert "/opt/build/bin/pip install --no-deps --require-hashes --requirement build.txt" in text
    assert "/opt/build/bin/pip wheel --no-deps --no-build-isolation" in text
    assert "/opt/build" not in text.rpartition("\nFROM ")[2]
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]
    assert build["requires"] == _argument(ROOT / ".ci" / "lock", "BUILD").split()


@pytest.mark.parametrize("file", HASHED)
def test_hashed_packages_have_the_versions_of_the_lock(file: str) -> None:
    found = _hashed(file)
    assert {name: LOCKED[name] for name in found if name in LOCKED}.items() <= found.items()
    unknown = {name for name in found if name not in LOCKED}
    if file != "build":  # whose packages `make setup` lets pip choose
        assert not unknown or file == "cuda", unknown
        assert all(re.match(r"nvidia-|cuda-|triton$", name) for name in unknown), unknown


@pytest.mark.parametrize("file", HASHED)
def test_a_package_that_another_one_needs_is_hashed_as_well(file: str) -> None:
    listed = {"mlflow": "SERVER", "build": "BUILD"}
    wanted = _of_lock(listed[file]) if file in listed else _of_project(file)
    missing = _with_all_they_need(wanted) - set(_hashed(file))
    assert missing == ({"torch"} if file == "cpu" else set()), f"{missing} -> make lock"


@pytest.mark.parametrize("torch", ["cpu", "cuda"])
def test_the_lock_satisfies_what_the_project_asks_for(torch: str) -> None:
    for requirement in _of_project(torch):
        pinned = LOCKED.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{requirement} is not in constraints.txt"
        assert requirement.specifier.contains(pinned, prereleases=True), f"{requirement}: {pinned} is pinned"


def test_the_server_has_the_driver_of_its_database() -> None:
    script = (ROOT / "k8s/components/mlflow/make-secrets.sh").read_text()
    found = re.search(r'^uri="([^:]+)://', script, re.MULTILINE)
    assert found is not None
    dialect = make_url(f"{found[1]}://user@host/name").get_dialect()
    assert dialect.driver in _names(_of_lock("SERVER")), (
        f"SQLAlchemy takes {dialect.driver} for {found[1]}://"
    )
    assert dialect.import_dbapi().__name__ == dialect.driver


@pytest.mark.parametrize(
    ("file", "offer", "package"),
    [
        ("README.md", "storage: s3://", "s3fs"),
        ("docs/how-to/resources.md", "zero", "deepspeed"),
        ("docs/reference/methods.md", "quantise", "bitsandbytes"),
    ],
)
def test_a_pod_can_do_what_the_documents_offer(file: str, offer: str, package: str) -> None:
    assert offer in (ROOT / file).read_text()
    assert package in _names(_of_project("cuda"))


def test_every_extra_that_serves_a_sweep_is_in_the_image() -> None:
    brought = _names(_of_project("cuda"))
    for extra, requirements in PROJECT["optional-dependencies"].items():
        if extra not in NOT_IN_PODS:
            assert _names([Requirement(line) for line in requirements]) <= brought, extra


def test_a_cpu_image_brings_nothing_of_cuda() -> None:
    assert _names(_of_project("cuda")) - _names(_of_project("cpu")) == {"bitsandbytes"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_images_are_small_fast_and_not_root(file: Path) -> None:
    text = file.read_text()
    last = text.rpartition("\nFROM ")[2]
    assert text.count("\nFROM ") == 2, "two stages: what builds is not shipped"
    assert "USER 1000:1000" in last
    assert text.count("compileall") == 2, "uid 1000 can keep no .pyc, neither of packages nor of the library"
    assert 'compileall --quiet -j 0 "$(python -c' in last, "the official images ship Python without .pyc"
    assert "PYTHONDONTWRITEBYTECODE" not in text
    assert not re.search(r"apt-get|curl|wget", text)


def test_images_stand_on_one_exact_python() -> None:
    bases = {_argument(file, "PYTHON_IMAGE") for file in FILES}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", bases.pop())
