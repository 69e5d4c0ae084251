"""Who may read what is stored: the account alone, a group where it is shared; nothing gives more than the
umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.app import app
from orchestrator.contracts.files import write_atomically, write_once
from orchestrator.errors import ConfigError
from orchestrator.storage import directories
from orchestrator.storage.store import DirectoryStore
from workers import stage


@pytest.fixture(params=[0o077, 0o027, 0o022, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes_below(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): oct(stat.S_IMODE(p.stat().st_mode)) for p in directory.rglob("*")}


def test_files_and_directories_of_a_store_follow_the_umask(tmp_path: Path, umask: int) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    store = DirectoryStore(tmp_path / "store")
    directories.put_tree(store, "mini/model", model)
    assert directories.fetch_tree(store, "mini/model", tmp_path / "fetched" / "model")
    write_atomically(tmp_path / "store" / "sweep.json", "{}")
    write_once(tmp_path / "store" / "order.json", "{}")
    file, directory = oct(0o666 & ~umask), oct(0o777 & ~umask)
    for place in (tmp_path / "store", tmp_path / "fetched"):
        found = modes_below(place)
        assert {name: mode for name, mode in found.items() if (place / name).is_file()}
        for name, mode in found.items():
            assert mode == (file if (place / name).is_file() else directory), name


@pytest.mark.parametrize("command", ["submit", "resume"])
def test_what_pods_will_store_is_not_shared_by_a_word_that_changes_nothing(command: str) -> None:
    refused = CliRunner().invoke(app, ["--shared", command, "demo"]).exception
    assert isinstance(refused, ConfigError)
    assert "runs a sweep in pods" in str(refused)
    assert "frontier --shared fetch SWEEP" in str(refused)


def test_generated_weights_follow_the_umask(tmp_path: Path, umask: int) -> None:
    root = tmp_path / "weights"
    stage._make(root, lambda draft: (draft / "config.json").write_text("{}"))
    assert oct(stat.S_IMODE(root.stat().st_mode)) == oct(0o777 & ~umask)
    assert modes_below(root) == {"config.json": oct(0o666 & ~umask)}
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]


@pytest.mark.parametrize(
    ("options", "umask", "left"),
    [
        ([], 0o022, 0o700),
        ([], 0o177, 0o600),
        (["--shared"], 0o002, 0o770),
        (["--shared"], 0o022, 0o750),
        (["--shared"], 0o077, 0o700),
    ],
    indirect=["umask"],
)
def test_a_command_stores_for_its_account_alone_unless_told_otherwise(
    tmp_path: Path, options: list[str], umask: int, left: int
) -> None:
    words = [*options, "render", "configs/sweeps/demo.yaml", "--out", str(tmp_path / "k8s")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {"": left, ".yaml": left & 0o666}
