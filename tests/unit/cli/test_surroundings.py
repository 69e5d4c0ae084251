"""What lies around the process: files in the working directory, encodings, long paths, dead addresses."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import operating_system
from orchestrator.cli.app import app
from orchestrator.cli.entry import enter
from orchestrator.contracts.child_processes import python_module, safe_environment, safe_path
from orchestrator.errors import ConfigError, ExitCode, LaunchError
from orchestrator.execution.launcher import ClusterChoice, Workplace
from orchestrator.execution.ray.launcher import RayLauncher, joined_address
from orchestrator.execution.retries import RetryPolicy
from workers.runtime.host import AttemptHost

MAIN = "from orchestrator.cli import main; main()"
SWEEP = "name: x\nmodels: [tiny]\ndomains: [general]\nmethods: [full]\ntasks: [ncbi-disease]\nseeds: [1]\n"
TRAP = "open({marker!r}, 'w').write(__name__)\nraise SystemExit(99)\n"
TRAPS = (
    *("workers.py", "random.py", "json.py", "ray/__init__.py", "torch.py", "orchestrator/__init__.py"),
    *("traceback.py", "errno.py", "collections/__init__.py", "__future__.py", "pathlib.py", "typing.py"),
)
HERE = [
    "",
    ".",
    "./",
    "below/..",
    "./.",
    "link",
]  # relative entries of PYTHONPATH that mean the working directory


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A working directory whose files say so when they are run."""
    folder = tmp_path / "work"
    for name in TRAPS:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TRAP.format(marker=str(tmp_path / "executed")))
    (folder / "below").mkdir()
    (folder / "link").symlink_to(folder)
    return folder


def frontier(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-P", "-c", MAIN, *words],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120", **environment},
        capture_output=True,
        timeout=110,
    )


@pytest.mark.parametrize("python_path", [None, os.pathsep, f".{os.pathsep}/nowhere"])
def test_a_child_never_runs_what_lies_in_the_working_directory(
    trapped: Path, monkeypatch: pytest.MonkeyPatch, python_path: str | None
) -> None:
    monkeypatch.chdir(trapped)
    if python_path is not None:
        monkeypatch.setenv("PYTHONPATH", python_path)
    program = "import sys, workers, random, json; print(workers.__file__)"
    for command in ([sys.executable, "-c", program], python_module("workers.stage")):
        done = subprocess.run(
            command,
            input="no request",
            env=safe_environment(os.environ),
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert done.returncode != 99, done.stderr.decode()
    assert not (trapped.parent / "executed").exists()


def test_windows_is_refused_by_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(operating_system, "system", lambda: "Windows")
    monkeypatch.setattr(sys, "argv", ["frontier", "--version"])
    with pytest.raises(SystemExit) as ended:
        enter()
    assert ended.value.code == ExitCode.NOT_STARTED
    assert "does not run on Windows itself\n    -> use a Linux machine" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["run", "demo"], ["plan", "demo", "--measure"]])
def test_trials_are_refused_on_macos_before_anything_is_staged(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operating_system, "system", lambda: "Darwin")
    done = CliRunner().invoke(app, [*words, "--storage", str(tmp_path / "sweeps")])
    assert isinstance(done.exception, LaunchError)
    assert "trials run on Linux only, and this is macOS" in str(done.exception)
    assert not (tmp_path / "sweeps").exists()


def test_trials_are_refused_where_the_kernel_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(process: int) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    operating_system.refuse_other_than_linux()
    monkeypatch.setattr(operating_system, "open_process", refused)
    monkeypatch.setattr(operating_system, "release", lambda: "4.18.0")
    with pytest.raises(
        LaunchError, match=r"since 5\.3; this is 4\.18\.0 \(Function not implemented\)\n    -> use"
    ):
        operating_system.refuse_other_than_linux()


def test_a_warm_process_never_runs_what_lies_in_the_working_directory(
    trapped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trapped)
    host = AttemptHost()
    try:
        assert host.listen("127.0.0.1") > 0
    finally:
        host.close()
    assert not (trapped.parent / "executed").exists()


def test_a_folder_on_the_users_python_path_stays_there() -> None:
    given = {"PYTHONPATH": os.pathsep.join(["", "/ours", "./", "src", ".", "/theirs"]), "HOME": "/h"}
    assert safe_environment(given) == {
        "PYTHONPATH": os.pathsep.join(["/ours", "src", "/theirs"]),
        "HOME": "/h",
        "PYTHONSAFEPATH": "1",
    }
    assert "PYTHONPATH" not in safe_environment({"PYTHONPATH": os.pathsep})


@pytest.mark.parametrize("folder", HERE)
def test_a_working_directory_leaves_the_path_however_it_is_spelt_and_returns_by_its_full_name(
    trapped: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(trapped)
    absolute = os.path.abspath(folder)
    given = ["/bin", absolute, "/usr/lib"]
    assert safe_path(given, os.pathsep.join([folder, "/usr/lib"])) == ["/bin", "/usr/lib"]
    assert safe_path(given, os.pathsep.join([folder, absolute])) == given
    assert safe_path(given, "") == given
    assert "PYTHONPATH" not in safe_environment({"PYTHONPATH": folder})


@pytest.mark.parametrize("python_path", ["", os.pathsep, f"/nowhere{os.pathsep}./", "link"])
def test_the_command_line_itself_imports_nothing_from_the_working_directory(
    trapped: Path, python_path: str
) -> None:
    (trapped / "sweep.yaml").write_text(SWEEP)
    shutil.rmtree(trapped / "orchestrator")  # an empty entry is there before any line of ours
    done = frontier("plan", "sweep.yaml", cwd=trapped, PYTHONPATH=python_path)
    assert done.returncode == 0, done.stderr.decode()
    assert not (trapped.parent / "executed").exists()


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    ],
)
def test_an_output_that_is_not_utf_8_gets_replacements_and_no_traceback(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "sweep.yaml").write_text(SWEEP + "question: Größe → 精度?\n", encoding="utf-8")
    for words in (["plan", "sweep.yaml"], ["plan", "sweep.yaml", "models=精度"]):
        done = frontier(*words, cwd=tmp_path, **environment)
        assert b"Traceback" not in done.stderr
        assert done.returncode == (0 if len(words) == 2 else 2), done.stderr.decode("latin-1")


@pytest.mark.parametrize(
    ("storage", "words"),
    [
        ("a" * 300, "300 bytes"),
        ("é" * 200, "400 bytes"),
        ("/".join(["abcdefgh"] * 500), "is a path of"),
        ("file", "is a file"),
        ("file/below", "is a file"),
        ("link/below", "leads nowhere"),
    ],
)
def test_a_storage_that_cannot_be_made_is_a_mistake_of_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, storage: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("link")
    (tmp_path / "sweep.yaml").write_text(SWEEP, encoding="utf-8")
    error = CliRunner().invoke(app, ["plan", "sweep.yaml", "--storage", storage]).exception
    assert isinstance(error, ConfigError), error
    (problem,) = error.problems
    assert (problem.where, problem.key) == ("command line", "storage")
    assert words in problem.problem


def test_a_name_that_no_file_system_takes_is_a_mistake_of_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    methods = tmp_path / "mine" / "methods"
    methods.mkdir(parents=True)
    (methods / f"{'m' * 249}.yaml").write_text("settings: {kind: lora}\nrecipe: {learning_rate: 1.0e-3}\n")
    ranks = "rank: [4, 8], alpha: [16, 32]"
    text = SWEEP.replace("[full]", f"[{{name: {'m' * 249}, {ranks}}}]") + "catalogues: [mine]\n"
    (tmp_path / "sweep.yaml").write_text(text)
    error = CliRunner().invoke(app, ["plan", "sweep.yaml"]).exception
    assert isinstance(error, ConfigError), error
    assert [problem.key for problem in error.problems] == ["methods"]
    assert "bytes" in error.problems[0].problem


def launcher(tmp_path: Path, address: str | None) -> RayLauncher:
    place = Workplace(
        sweep_directory=tmp_path / "sweeps" / "x",
        cache_dir=tmp_path / "cache",
        data_dir=None,
        checkpoint_seconds=0,
        keep_weights="none",
    )
    return RayLauncher(place, RetryPolicy(retries=0), address=address)


@pytest.mark.parametrize("silent", [False, True])
def test_a_dead_address_is_given_up_with_the_variable_that_may_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    from orchestrator.execution.ray import cluster

    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 0.2)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if silent:  # it takes connections, and answers none
            listening.listen()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        choice = ClusterChoice(address)
        with pytest.raises(LaunchError) as caught, cluster.cluster(choice, tmp_path, None, None):
            pass
    assert address in str(caught.value)
    assert "RAY_ADDRESS" in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "address", ["127.0.0.9", "head", "ray://head", "head:", "head:99999", ":6379", "LOCAL"]
)
def test_an_address_without_a_port_is_told_what_an_address_is(tmp_path: Path, address: str) -> None:
    from orchestrator.execution.ray import cluster

    with pytest.raises(LaunchError) as caught:
        cluster._connect(address, insecure=False)
    assert str(caught.value).startswith(
        f"expected HOST:PORT, got {address!r}\n    -> set --address, or RAY_ADDRESS"
    )


@pytest.mark.parametrize(
    ("address", "variable", "joined"),
    [
        (None, None, None),
        ("", None, None),
        ("local", None, None),
        (" local ", None, None),
        ("local://", None, None),
        ("auto", "local", None),
        ("auto", "head:6379", "head:6379"),
        ("auto", None, "auto"),
        ("head:6379", "local", "head:6379"),
    ],
)
def test_what_ray_calls_local_is_a_private_cluster(
    address: str | None, variable: str | None, joined: str | None
) -> None:
    environment = {} if variable is None else {"RAY_ADDRESS": variable}
    assert joined_address(address, environment) == joined


def test_sockets_lie_in_tmp_rather_than_where_a_logout_deletes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("a" * 40)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        with launcher(tmp_path, None)._cluster_directory() as directory:
            assert directory.parent == Path("/tmp")


@pytest.mark.parametrize("length", [0, 40, 130])
def test_sockets_lie_in_a_short_private_directory_that_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    users = tmp_path / ("a" * length)
    users.mkdir(exist_ok=True)
    monkeypatch.setenv("TMPDIR", str(users))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with launcher(tmp_path, None)._cluster_directory() as directory:
        assert len(os.fsencode(directory)) <= 47
        assert directory.stat().st_mode & 0o777 == 0o700
        assert len(os.environ["TMPDIR"]) <= max(60, len(str(directory)) + 2)
        assert Path(tempfile.gettempdir()).is_dir()
    assert not directory.exists()
    assert os.environ["TMPDIR"] == str(users)
