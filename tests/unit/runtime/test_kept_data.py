"""What an attempt hands on: whole, within its room, and gone where an attempt was killed.

The template and its attempts share one process here: the descriptors are those that a fork would inherit.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256

import pytest

from workers.runtime.kept_data import KEPT_DATA, KeptData, keep, kept, room_of_slot

HEAD = 64


def key(name: str) -> str:
    return sha256(name.encode()).hexdigest()


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> KeptData:
    monkeypatch.delenv(KEPT_DATA, raising=False)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    return KeptData(most_bytes=1000)


@pytest.fixture
def begin(files: KeptData, monkeypatch: pytest.MonkeyPatch):
    """Begin an attempt."""

    def _begin() -> None:
        for name, value in files.environment().items():
            monkeypatch.setenv(name, value)

    return _begin


def test_later_attempts_find_what_an_earlier_one_has_kept(files, begin):
    begin()
    assert kept(key("letters")) is None
    keep(key("letters"), b"read and encoded")
    files.attempt_ended(0)
    for _ in range(2):
        begin()
        assert bytes(kept(key("letters"))) == b"read and encoded"
        assert kept(key("notes")) is None
        files.attempt_ended(0)


def test_a_process_that_starts_python_itself_inherits_the_descriptors_too(files, begin):
    begin()
    keep(key("letters"), b"read and encoded")
    files.attempt_ended(0)
    given = json.loads(files.environment()[KEPT_DATA])
    assert all(map(os.get_inheritable, [given["blank"], *given["files"].values()]))


def test_data_without_room_are_not_kept_and_what_came_first_stays(files, begin):
    for name, size in (("first", 500), ("too large", 500), ("fits", 1000 - 500 - 2 * HEAD)):
        begin()
        keep(key(name), b"x" * size)
        files.attempt_ended(0)
    begin()
    assert [kept(key(name)) is not None for name in ("first", "too large", "fits")] == [True, False, True]


def test_of_an_attempt_that_was_killed_nothing_stays(files, begin):
    begin()
    keep(key("earlier"), b"x" * 500)
    files.attempt_ended(0)
    begin()
    keep(key("its own"), b"x" * 100)
    files.attempt_ended(-9)
    begin()
    assert kept(key("earlier")) is kept(key("its own")) is None
    keep(key("later"), b"x" * 900)  # all the room is free again
    files.attempt_ended(0)
    begin()
    assert len(kept(key("later"))) == 900


def test_half_a_content_is_none(files, begin, monkeypatch):
    """The key is written last, whatever ends the writing."""
    begin()
    monkeypatch.setattr(os, "pwrite", lambda *_: (_ for _ in ()).throw(OSError(28, "no space")))
    keep(key("letters"), b"half")
    monkeypatch.undo()
    files.attempt_ended(0)
    for name, value in files.environment().items():
        monkeypatch.setenv(name, value)
    assert kept(key("letters")) is None
    keep(key("letters"), b"whole")
    files.attempt_ended(0)
    for name, value in files.environment().items():
        monkeypatch.setenv(name, value)
    assert bytes(kept(key("letters"))) == b"whole"


def test_of_several_ranks_the_first_one_keeps(files, begin, monkeypatch):
    begin()
    monkeypatch.setenv("LOCAL_RANK", "1")
    keep(key("letters"), b"of the second rank")
    files.attempt_ended(0)
    begin()
    assert kept(key("letters")) is None


def test_an_attempt_without_a_template_and_a_kernel_without_memory_files_keep_nothing(
    files, begin, monkeypatch
):
    keep(key("letters"), b"alone")
    assert kept(key("letters")) is None

    def no_memory_file(*_: object) -> int:
        raise OSError(38, "not implemented")

    monkeypatch.setattr(os, "memfd_create", no_memory_file)
    begin()
    keep(key("letters"), b"nowhere")
    files.attempt_ended(0)
    begin()
    assert kept(key("letters")) is None


@pytest.mark.parametrize(
    ("groups", "files", "most"),
    [
        ("0::/\n", {"memory.max": "max\n"}, 2**30),
        ("0::/job\n", {"job/memory.max": f"{2**32}\n", "memory.max": "max\n"}, 2**28),
        ("0::/job/step\n", {"job/memory.max": f"{2**32}\n", "job/step/memory.max": f"{2**40}\n"}, 2**28),
        ("0::/a/pod\n", {"memory.max": f"{2**32}\n"}, 2**28),  # its own group is the top that it sees
        ("7:cpu:/\n4:memory:/job\n", {"memory/job/memory.limit_in_bytes": f"{2**32}\n"}, 2**28),
        ("4:cpu,memory:/job\n", {"memory/memory.limit_in_bytes": f"{2**32}\n"}, 2**28),
        ("", {}, 2**30),
    ],
)
def test_all_slots_together_keep_an_eighth_of_the_memory(tmp_path, monkeypatch, groups, files, most):
    """Of the machine's or of the control group's limit, whichever is less; a slot by its cores."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, limit in files.items():
        (tmp_path / "sys/fs/cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys/fs/cgroup" / name).write_text(limit)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**30}.get)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    by_cores = {cores: room_of_slot(cores, tmp_path) for cores in (8, 16, 32, None)}
    whole = min(2**30, 2 * most)
    assert by_cores == {8: most, 16: whole, 32: whole, None: whole}
