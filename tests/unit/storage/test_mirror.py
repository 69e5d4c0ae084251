"""What readers see of a sweep in a store, wherever its writers die."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest
from execution_fakes import make_outcome, make_trial
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts import layout
from orchestrator.contracts.outcome import Bill
from orchestrator.contracts.vocabulary import FailureKind
from orchestrator.errors import StorageError
from orchestrator.execution.attempts import checkpoint_to_resume, open_attempt
from orchestrator.execution.launcher import Workplace
from orchestrator.storage import directories
from orchestrator.storage.mirror import Mirror
from orchestrator.storage.shared_cache import SharedCache
from orchestrator.storage.store import DirectoryStore

TRIAL = make_trial("fine")


class KilledError(BaseException):
    """In the place of a kill -9."""


class DyingStore:
    """The writer dies at its n-th act, `late`: after the store has done it."""

    def __init__(self, store: DirectoryStore, left: int, late: bool) -> None:
        self._store, self._left, self._late = store, left, late

    @contextmanager
    def _act(self) -> Iterator[None]:
        self._left -= 1
        if self._left < 0 and not self._late:
            raise KilledError
        yield
        if self._left < 0:
            raise KilledError

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        with self._act():
            return self._store.put(key, data, if_absent=if_absent)

    def delete(self, key: str) -> None:
        with self._act():
            self._store.delete(key)

    def get(self, key: str) -> bytes | None:
        return self._store.get(key)

    def fetch(self, key: str, path: Path) -> bool:
        return self._store.fetch(key, path)

    def listing(self, prefix: str) -> dict[str, int]:
        return self._store.listing(prefix)


def place_of(root: Path) -> Workplace:
    return Workplace(sweep_directory=root / "sweep", cache_dir=root / "cache")


def checkpoint(directory: Path, step: int) -> None:
    """Two files that must go together."""
    place = directory / layout.CHECKPOINTS / f"step-{step}"
    place.mkdir(parents=True)
    for name in ("state", "weights"):
        (place / name).write_bytes(f"{name} at {step}".encode() * 50)


def whole_checkpoint(place: Path) -> bool:
    step = place.name.removeprefix("step-")
    return all((place / n).read_bytes() == f"{n} at {step}".encode() * 50 for n in ("state", "weights"))


def bill(at: float) -> str:
    return Bill(allocated_at=1.0, released_at=at, devices=1, device_type="CPU").model_dump_json()


def write_attempt(root: Path, mirror: Mirror, finish: bool) -> None:
    """An attempt from its claim to its end, as its machine delivers it."""

    def claim(trial: str, directory: Path, order: bytes) -> bool:
        if mirror.claim_attempt(directory, order):
            return True
        mirror.pull(trial)
        return False

    order = open_attempt(place_of(root), TRIAL, 1.0, claim)
    directory = Path(order.directory)
    for step in (1, 2, 3, 4):
        with (directory / layout.EVENTS).open("a") as events:
            events.write(f"{step}\n" * 3)
        checkpoint(directory, step)
        for old in sorted((directory / layout.CHECKPOINTS).iterdir())[:-2]:
            shutil.rmtree(old)
        mirror.push_events(directory)
        mirror.push_checkpoint(directory)
    if finish:
        (directory / layout.MODEL).mkdir()
        (directory / layout.MODEL / "adapter").write_text("adapter")
        outcome = make_outcome(order)
        shutil.rmtree(directory / layout.CHECKPOINTS)
    else:
        outcome = make_outcome(order, FailureKind.PREEMPTED)
    (directory / layout.OUTCOME).write_text(outcome.model_dump_json())
    (directory / layout.BILL).write_text(bill(9.0))
    mirror.push_ended(directory)


def check_reader(store: DirectoryStore, root: Path) -> None:
    """All that another machine sees is whole."""
    mirror = Mirror(store, root / "sweep")
    mirror.pull()
    mirror.pull_checkpoint(TRIAL.name, TRIAL.spec.fingerprint)
    trial = layout.trial_directory(root / "sweep", TRIAL.name)
    found = checkpoint_to_resume(trial, TRIAL.spec.fingerprint)
    assert found is None or whole_checkpoint(Path(found))
    for _, directory in layout.attempts(trial):
        json.loads((directory / layout.ORDER).read_bytes())
        if (directory / layout.BILL).exists():
            assert (directory / layout.OUTCOME).exists()
        if (directory / layout.OUTCOME).exists():
            outcome = json.loads((directory / layout.OUTCOME).read_bytes())
            assert (directory / layout.EVENTS).read_text().split() == [s for s in "1234" for _ in range(3)]
            model = f"{mirror.key(directory)}/{layout.MODEL}"
            if outcome["state"] == "finished":
                assert directories.fetch_tree(store, model, directory / layout.MODEL)
                assert (directory / layout.MODEL / "adapter").read_text() == "adapter"
            else:
                assert found is not None
                assert found.endswith("step-4")


@given(left=st.integers(0, 45), late=st.booleans(), finish=st.booleans(), again=st.integers(0, 45))
def test_no_reader_takes_a_part_for_the_whole(left: int, late: bool, finish: bool, again: int) -> None:
    """A machine dies in the middle, another one goes on and dies too; then a third looks, and the first comes
    back and delivers what it owes."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        store = DirectoryStore(top / "store")
        for machine, acts in (("one", left), ("two", again)):
            mirror = Mirror(DyingStore(store, acts, late), top / machine / "sweep")
            with suppress(KilledError):
                mirror.pull()
                mirror.pull_checkpoint(TRIAL.name, TRIAL.spec.fingerprint)
                write_attempt(top / machine, mirror, finish)
            check_reader(store, top / f"reader after {machine}")
        for machine in ("one", "two"):
            Mirror(store, top / machine / "sweep").push_leftovers()
        check_reader(store, top / "last")
        for machine in ("one", "two"):
            for found in (top / machine).rglob(layout.BILL):
                there = top / "last" / found.relative_to(top / machine)
                assert there.read_bytes() == found.read_bytes()


def closed_twice(tmp_path: Path) -> tuple[DirectoryStore, Path, Mirror, Mirror]:
    """An attempt on a machine that is cut off, closed by the driver in the meantime."""
    store = DirectoryStore(tmp_path / "store")
    late, driver = (Mirror(store, tmp_path / where / "sweep") for where in ("late", "driver"))
    order = open_attempt(place_of(tmp_path / "late"), TRIAL, 1.0, lambda _, d, o: late.claim_attempt(d, o))
    driver.pull(TRIAL.name)
    directory = Path(order.directory)
    here = driver.directory / directory.relative_to(late.directory)
    (here / layout.OUTCOME).write_text(make_outcome(order, FailureKind.PREEMPTED).model_dump_json())
    (here / layout.BILL).write_text(bill(5.0))
    assert driver.push_ended(here)
    (directory / layout.OUTCOME).write_text(make_outcome(order).model_dump_json())
    (directory / layout.BILL).write_text(bill(9.0))
    return store, directory, late, driver


def test_a_late_writer_changes_nothing(tmp_path: Path) -> None:
    store, directory, late, _ = closed_twice(tmp_path)
    before = {key: store.get(key) for key in store.listing("") if key.endswith(".json")}
    assert not late.push_ended(directory)
    assert before.items() <= {key: store.get(key) for key in store.listing("")}.items()
    assert json.loads((directory / layout.OUTCOME).read_bytes())["state"] == "failed"
    assert json.loads((directory / layout.BILL).read_bytes())["released_at"] == 5.0


def test_machines_never_share_an_attempt_number(tmp_path: Path) -> None:
    """The second machine has not heard of the first one's attempt."""
    store = DirectoryStore(tmp_path / "store")
    for machine in ("one", "two"):
        write_attempt(tmp_path / machine, Mirror(store, tmp_path / machine / "sweep"), finish=False)
    reader = Mirror(store, tmp_path / "reader" / "sweep")
    reader.pull()
    found = layout.attempts(layout.trial_directory(reader.directory, TRIAL.name))
    assert [number for number, _ in found] == [1, 2]
    orders = [json.loads((directory / layout.ORDER).read_bytes()) for _, directory in found]
    for machine, order in zip(("one", "two"), orders, strict=True):
        assert order["directory"].startswith(str(tmp_path / machine))


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    write_attempt(tmp_path / "one", Mirror(store, tmp_path / "one" / "sweep"), finish=False)
    [key] = [key for key in store.listing("") if key.endswith("step-4/weights")]
    store.put(key, b"other bytes")
    reader = Mirror(store, tmp_path / "two" / "sweep")
    reader.pull()
    reader.pull_checkpoint(TRIAL.name, TRIAL.spec.fingerprint)
    found = checkpoint_to_resume(layout.trial_directory(reader.directory, TRIAL.name), TRIAL.spec.fingerprint)
    assert found is not None
    assert found.endswith("step-3")
    reader.pull_checkpoint(TRIAL.name, "another fingerprint")


def test_shared_weights_are_checked_against_the_lock(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    weights = tmp_path / "here" / "hub" / "weights"
    weights.mkdir(parents=True)
    (weights / "model.safetensors").write_bytes(b"weights")
    here, there = SharedCache(store, tmp_path / "here"), SharedCache(store, tmp_path / "there")
    assert not there.pull("hub/weights")
    here.push("hub/weights")
    locked = directories.digests(store, "cache/hub/weights")
    assert there.holds("hub/weights", locked)
    assert there.pull("hub/weights")
    assert (tmp_path / "there/hub/weights/model.safetensors").read_bytes() == b"weights"
    with pytest.raises(StorageError, match=r"model\.safetensors: is not the file that the lock file names"):
        here.holds("hub/weights", {"model.safetensors": "0" * 64})
    store.put("cache/hub/weights/model.safetensors", b"other weights")
    with pytest.raises(StorageError, match="is not what its marker says"):
        SharedCache(store, tmp_path / "third").pull("hub/weights")
    assert not (tmp_path / "third/hub/weights").exists()


def test_sweeps_on_other_splits_of_a_data_set_add_their_files(tmp_path: Path) -> None:
    store, item = DirectoryStore(tmp_path / "store"), "hub/datasets--a--b/snapshots/c"
    caches = {name: SharedCache(store, tmp_path / name) for name in ("first", "second", "machine")}
    for name in ("first", "second"):
        file = tmp_path / name / item / f"{name}.parquet"
        file.parent.mkdir(parents=True)
        file.write_bytes(name.encode())
    caches["first"].push(item)
    assert caches["machine"].pull(item)
    locked = {"second.parquet": sha256(b"second").hexdigest()}
    assert not caches["second"].holds(item, locked)
    caches["second"].push(item)
    assert sorted(caches["first"].files(item)) == ["first.parquet", "second.parquet"]
    assert caches["second"].holds(item, locked)
    for name in ("first", "machine"):
        assert caches[name].pull(item)
        assert (tmp_path / name / item / "second.parquet").read_bytes() == b"second"
        assert (tmp_path / name / item / "first.parquet").read_bytes() == b"first"
    assert not list((tmp_path / "machine/hub/datasets--a--b/snapshots").glob(".*"))
    with pytest.raises(StorageError, match=r"second\.parquet: is not the file that the lock file names"):
        caches["first"].holds(item, {"second.parquet": "0" * 64})


class AskedStore(DirectoryStore):
    """Calls back at every fetch, and counts them."""

    def __init__(self, directory: Path, meanwhile: Callable[[], None]) -> None:
        super().__init__(directory)
        self.meanwhile, self.fetched = meanwhile, 0

    def fetch(self, key: str, path: Path) -> bool:
        self.fetched += 1
        self.meanwhile()
        return super().fetch(key, path)


def test_a_machine_fetches_weights_once_and_keeps_them_read_only(tmp_path: Path) -> None:
    weights = tmp_path / "here" / "hub" / "weights"
    weights.mkdir(parents=True)
    (weights / "model.safetensors").write_bytes(b"weights")
    SharedCache(DirectoryStore(tmp_path / "store"), tmp_path / "here").push("hub/weights")
    found: list[bool] = []
    second = threading.Thread(target=lambda: found.append(cache.pull("hub/weights")))

    def another_trial_starts() -> None:
        if second.ident is None:
            second.start()
            second.join(timeout=0.3)  # without waiting for the first it would be through by then
            assert found == []

    store = AskedStore(tmp_path / "store", another_trial_starts)
    cache = SharedCache(store, tmp_path / "there")
    assert cache.pull("hub/weights")
    second.join()
    assert found == [True]
    assert store.fetched == 1
    assert (tmp_path / "there/hub/weights/model.safetensors").stat().st_mode & 0o222 == 0
