"""Whatever ends an attempt, the text in its hands is in no file but that of its output, and in no process's
arguments."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
from pathlib import Path

import pytest
from canaries import found, in_processes, planted
from canary_corpora import FORMATS, write
from workshop import wait_for

from orchestrator.contracts import layout
from orchestrator.contracts.exit_codes import WRITTEN
from orchestrator.contracts.vocabulary import FailureKind
from workers.runtime.host import AttemptHost

MARKER = "Zzpatientword"


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """Where a process could leave something beside its records."""
    return tmp_path_factory.mktemp("surroundings")


@pytest.fixture(scope="module")
def planted_host(surroundings):
    """A host whose attempts have a careless library, and leave nothing outside the surroundings unseen."""
    with pytest.MonkeyPatch.context() as changed:
        for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
            (surroundings / name).mkdir()
            changed.setenv(name, str(surroundings / name))
        for name, value in planted("workers.runtime.template").items():
            changed.setenv(name, value)
        changed.chdir(surroundings)
        host = AttemptHost(threads=1)
    yield host
    host.close()


@pytest.fixture
def order(lab, request):
    """An order whose first training row does what the test says."""
    rows = (lab.data / "train.jsonl").read_text().splitlines()
    first = json.loads(rows[0])
    first["text"] = f"{MARKER} act={request.param} {first['text']}"
    (lab.data / "train.jsonl").write_text("\n".join([json.dumps(first), *rows[1:]]) + "\n")
    return lab.order()


def check(order: Path, surroundings: Path, capfd) -> None:
    """Nothing of the text is anywhere but in the folder for it, which is the owner's alone."""
    assert found(order.parent, [MARKER]) == {}
    assert found(surroundings, [MARKER]) == {}
    assert MARKER not in "".join(capfd.readouterr())
    for log in (order.parent / layout.SENSITIVE).glob("*"):
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("order", "kind"),
    [
        ("exception", FailureKind.BUG),
        ("panic", FailureKind.BUG),
        ("group", FailureKind.BUG),
        ("leave", FailureKind.BUG),
        ("prints_and_fails", FailureKind.BUG),
        ("memory", FailureKind.OUT_OF_MEMORY),
        ("disk", FailureKind.BAD_INPUT),
    ],
    indirect=["order"],
)
def test_an_exception_leaves_its_class_and_places(
    planted_host, surroundings, order, kind, outcome_of, capfd
) -> None:
    assert planted_host.run(order) == WRITTEN
    failure = outcome_of(order).failure
    assert failure.kind is kind
    assert failure.places[-1].startswith("sitecustomize.py:")
    check(order, surroundings, capfd)


@pytest.mark.parametrize("order", ["none"], indirect=True)
@pytest.mark.parametrize("name", FORMATS)
def test_a_malformed_record_is_bad_input_without_its_words_and_the_name_of_its_file(
    planted_host, surroundings, order, lab, name, outcome_of, capfd
) -> None:
    task = write(name, lab.data, lab.data, bad=True)
    ordered = json.loads(order.read_text())
    ordered["trial"]["task"] |= task.entry
    order.write_text(json.dumps(ordered))
    assert planted_host.run(order) == WRITTEN
    assert outcome_of(order).failure.kind is FailureKind.BAD_INPUT
    assert found(order.parent, task.markers.values()) == {}
    check(order, surroundings, capfd)


@pytest.mark.parametrize("order", ["prints"], indirect=True)
def test_what_a_finished_attempt_printed_is_removed(
    planted_host, surroundings, order, outcome_of, capfd
) -> None:
    assert planted_host.run(order) == WRITTEN
    assert outcome_of(order).state == "finished"
    assert not (order.parent / layout.SENSITIVE).exists()
    check(order, surroundings, capfd)


@pytest.mark.parametrize(
    ("order", "code"),
    [("crash", signal.SIGSEGV), ("abort", signal.SIGABRT), ("kill", signal.SIGKILL)],
    indirect=["order"],
)
def test_what_a_crashed_attempt_printed_stays_in_a_folder_for_its_owner(
    planted_host, surroundings, order, code, capfd
) -> None:
    assert planted_host.run(order) == -code
    assert MARKER in layout.output_log(order.parent, 0).read_text()
    check(order, surroundings, capfd)


@pytest.mark.parametrize("order", ["hang"], indirect=True)
def test_no_process_of_an_attempt_shows_its_text(planted_host, surroundings, order, capfd) -> None:
    codes = []
    running = threading.Thread(target=lambda: codes.append(planted_host.run(order)))
    running.start()
    log = layout.output_log(order.parent, 0)
    wait_for(lambda: log.exists() and MARKER in log.read_text(), "the hanging attempt")
    template = planted_host._template.pid
    children = Path(f"/proc/{template}/task/{template}/children").read_text().split()
    assert Path(os.readlink(f"/proc/{children[0]}/cwd")) == log.parent
    assert in_processes([template, *map(int, children)], [MARKER]) == {}
    planted_host.interrupt()
    running.join()
    assert codes == [-signal.SIGKILL]
    check(order, surroundings, capfd)
