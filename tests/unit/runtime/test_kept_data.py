"""What an attempt hands on: whole, within its room, and gone where an attempt was killed.

The template and its attempts share one process here: the descriptors are those that a fork would inherit.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256

import pytest

from workers.runtime import kept_data
from workers.runtime.kept_data import KEPT_DATA, KeptData, keep, kept

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
    ("limits", "most"),
    [(["max\n"], 2**30), ([f"{2**33}\n"], 2**29), (["max\n", f"{2**32}\n"], 2**28), ([], 2**30)],
)
def test_a_slot_keeps_a_sixteenth_of_the_memory_that_it_may_use(tmp_path, monkeypatch, limits, most):
    """Whichever is less: the machine's, or the limit of the control group in either version."""
    for number, limit in enumerate(limits):
        (tmp_path / f"limit-{number}").write_text(limit)
    monkeypatch.setattr(kept_data, "_LIMITS", [str(tmp_path / f"limit-{number}") for number in range(2)])
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**30}.get)
    begun = json.loads(kept_data.KeptData().environment()[KEPT_DATA])
    assert begun["room"] == most
