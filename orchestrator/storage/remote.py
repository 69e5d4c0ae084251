"""From a URI to a store, and to the directory on this machine that mirrors it."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from orchestrator.errors import StorageError
from orchestrator.storage.objects import ObjectStore
from orchestrator.storage.store import DirectoryStore, Store

MIRROR_VARIABLE = "FRONTIER_MIRROR"  # each machine's own: where its mirrors are
PATIENCE_SECONDS = 600.0  # a store may fail for so long before a trial's records count as undeliverable
_PAUSE_SECONDS = 5.0

T = TypeVar("T")


def is_uri(storage: str) -> bool:
    return "://" in storage


@dataclass(frozen=True)
class Remote:
    """A storage by URI: `s3://bucket/prefix`. Travels to other machines, so it holds no credentials."""

    uri: str
    options: Mapping[str, object] = field(default_factory=dict)

    def open(self) -> Store:
        if self.uri.startswith("file://"):
            return DirectoryStore(Path(unquote(urlsplit(self.uri).path)))
        return ObjectStore(self.uri, self.options)

    def mirror(self) -> Path:
        """Return the directory on this machine that mirrors the storage: below FRONTIER_MIRROR, else the
        user's cache."""
        cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        top = os.environ.get(MIRROR_VARIABLE) or Path(cache) / "frontier" / "mirrors"
        uri = self.uri.rstrip("/")
        endpoints = (os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
        endpoint = self.options.get("endpoint_url") or next(filter(None, endpoints), "")
        digest = hashlib.sha256(f"{uri}\0{endpoint}".encode()).hexdigest()[:8]
        readable = re.sub(r"[^A-Za-z0-9.]+", "-", uri).strip("-")[-60:]
        return Path(top).expanduser().absolute() / f"{readable}-{digest}"


class PatientStore:
    """Tries again while the store fails, for at most `seconds`, beyond what its library does by itself.

    What `sleep` returns, if true, ends the patience.
    """

    def __init__(
        self, store: Store, seconds: float = PATIENCE_SECONDS, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._store, self._seconds, self._sleep = store, seconds, sleep

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        return self._keep_on(lambda: self._store.put(key, data, if_absent=if_absent))

    def get(self, key: str) -> bytes | None:
        return self._keep_on(lambda: self._store.get(key))

    def fetch(self, key: str, path: Path) -> bool:
        return self._keep_on(lambda: self._store.fetch(key, path))

    def listing(self, prefix: str) -> dict[str, int]:
        return self._keep_on(lambda: self._store.listing(prefix))

    def delete(self, key: str) -> None:
        self._keep_on(lambda: self._store.delete(key))

    def _keep_on(self, ask: Callable[[], T]) -> T:
        until = time.monotonic() + self._seconds
        while True:
            try:
                return ask()
            except StorageError:
                if time.monotonic() >= until or self._sleep(_PAUSE_SECONDS):
                    raise
