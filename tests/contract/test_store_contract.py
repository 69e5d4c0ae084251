"""What every store does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from object_store import BUCKET
from profiles import SLOW, examples

from orchestrator.errors import StorageError
from orchestrator.storage.objects import ObjectStore
from orchestrator.storage.remote import PatientStore, Remote
from orchestrator.storage.store import Store, claim

NewStore = Callable[[], Store]


@pytest.fixture(params=["directory", "s3"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    """Each an empty one."""
    if request.param == "directory":
        return lambda: Remote(f"file://{tmp_path}/{uuid.uuid4()}").open()
    options = request.getfixturevalue("s3").options
    return lambda: Remote(f"s3://{BUCKET}/{uuid.uuid4()}", options).open()


def test_an_object_is_read_as_it_was_put(new_store: NewStore, tmp_path: Path) -> None:
    store = new_store()
    assert store.get("a/b.json") is None
    assert store.put("a/b.json", b"one")
    assert store.put("a/b.json", b"two")
    assert store.get("a/b.json") == b"two"
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 100)
    assert store.put("a/c.bin", file)
    assert store.fetch("a/c.bin", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == file.read_bytes()
    assert not store.fetch("a/none", tmp_path / "nothing")
    with pytest.raises(FileNotFoundError):
        store.put("a/d", tmp_path / "gone")
    assert store.listing("a") == {"a/b.json": 3, "a/c.bin": 25600}


def test_a_listing_is_of_a_directory(new_store: NewStore) -> None:
    store = new_store()
    for key in ("run/1/x", "run/10/x", "run/1/y/z", "other"):
        store.put(key, b"12345")
    assert store.listing("run/1") == {"run/1/x": 5, "run/1/y/z": 5}
    assert set(store.listing("")) == {"run/1/x", "run/10/x", "run/1/y/z", "other"}
    assert store.listing("nothing") == {}


def test_one_of_many_gets_what_is_absent(new_store: NewStore) -> None:
    store = new_store()
    writers = [f"writer {number}".encode() for number in range(8)]
    with ThreadPoolExecutor(len(writers)) as pool:
        won = list(pool.map(lambda data: store.put("claim", data, if_absent=True), writers))
    assert won.count(True) == 1
    winner = writers[won.index(True)]
    assert store.get("claim") == winner
    assert claim(store, "claim", winner)
    assert not claim(store, "claim", b"late")
    assert store.get("claim") == winner


_KEYS = st.sampled_from(["a", "b/c", "b/d", "b/e/f"])
_ACTS = st.lists(st.tuples(st.sampled_from(["put", "claim", "delete"]), _KEYS, st.binary(max_size=20)))


@settings(max_examples=examples(0.5), suppress_health_check=[*SLOW, HealthCheck.function_scoped_fixture])
@given(acts=_ACTS)
def test_a_store_is_a_dictionary(new_store: NewStore, acts: list[tuple[str, str, bytes]]) -> None:
    store, model = new_store(), dict[str, bytes]()
    for act, key, data in acts:
        if act == "put":
            assert store.put(key, data)
            model[key] = data
        elif act == "claim":
            assert store.put(key, data, if_absent=True) == (key not in model)
            model.setdefault(key, data)
        else:
            store.delete(key)
            model.pop(key, None)
    assert store.listing("") == {key: len(data) for key, data in model.items()}
    assert {key: store.get(key) for key in model} == model


def test_a_store_that_does_not_answer_is_named(tmp_path: Path) -> None:
    options = {"endpoint_url": "http://127.0.0.1:9", "config_kwargs": {"retries": {"max_attempts": 1}}}
    asked: list[float] = []
    store = PatientStore(ObjectStore("s3://bucket/prefix", options), 60, lambda s: asked.append(s) or True)
    for act in (lambda: store.put("k", b""), lambda: store.get("k"), lambda: store.listing("k")):
        with pytest.raises(StorageError, match=r"s3://bucket/prefix/k: cannot be"):
            act()
    assert len(asked) == 3  # each time the patience was ended
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        Remote(f"file://{tmp_path}/file").open().put("k", b"")


def test_a_bucket_that_is_not_there_is_no_empty_store(s3: object) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        ObjectStore("s3://no-such-bucket/x", s3.options).put("k", b"")  # type: ignore[attr-defined]


def test_an_unknown_protocol_says_what_to_install() -> None:
    with pytest.raises(StorageError, match="frontier-sweeps"):
        ObjectStore("nosuch://x", {}).get("k")
