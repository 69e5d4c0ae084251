"""Object stores by fsspec. The only file that imports it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import StorageError

# The library's own retries: with them a request gives up after about a minute.
if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_S3 = {
    "use_listings_cache": False,
    "config_kwargs": {
        "connect_timeout": 10,
        "read_timeout": 60,
        "retries": {"mode": "standard", "max_attempts": 6},
    },
}
_DEFAULTS: Mapping[str, dict[str, object]] = {"s3": _S3, "s3a": _S3}


class ObjectStore:
    """`options` are fsspec's for the protocol of `uri`; credentials come from the environment."""

    def __init__(self, uri: str, options: Mapping[str, object]) -> None:
        self.uri, self._options = uri.rstrip("/"), options

    @cached_property
    def _filesystem(self) -> tuple[AbstractFileSystem, str]:
        try:
            from fsspec.core import url_to_fs

            defaults = _DEFAULTS.get(self.uri.partition("://")[0], {})
            system, root = url_to_fs(self.uri, **{**defaults, **self._options})
        except (ImportError, ValueError, TypeError) as failed:
            raise StorageError(
                f"{self.uri}: no such store can be opened here ({failed})\n"
                "    -> pip install 'frontier-sweeps[s3]' for s3://, or the fsspec package of another store; "
                "check storage_options"
            ) from failed
        return system, str(root).rstrip("/")

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> bool:
        system, root = self._filesystem
        mode = "create" if if_absent else "overwrite"
        try:
            if isinstance(data, Path):
                system.put_file(str(data), f"{root}/{key}", mode=mode)
            else:
                system.pipe_file(f"{root}/{key}", data, mode=mode)
        except FileExistsError:
            return False
        except Exception as failed:
            if isinstance(data, Path) and not data.exists():
                raise FileNotFoundError(str(data)) from None
            raise self._error("written", key, failed) from failed
        return True

    def get(self, key: str) -> bytes | None:
        system, root = self._filesystem
        try:
            return bytes(system.cat_file(f"{root}/{key}"))
        except FileNotFoundError:
            return None
        except Exception as failed:
            raise self._error("read", key, failed) from failed

    def fetch(self, key: str, path: Path) -> bool:
        system, root = self._filesystem
        try:
            system.get_file(f"{root}/{key}", str(path))
        except FileNotFoundError:
            return False
        except Exception as failed:
            raise self._error("read", key, failed) from failed
        return True

    def listing(self, prefix: str) -> dict[str, int]:
        system, root = self._filesystem
        try:
            system.invalidate_cache()
            entries = system.find(f"{root}/{prefix}".rstrip("/"), detail=True)
        except FileNotFoundError:
            return {}
        except Exception as failed:
            raise self._error("listed", prefix, failed) from failed
        return {path.removeprefix(f"{root}/"): int(info["size"]) for path, info in entries.items()}

    def delete(self, key: str) -> None:
        system, root = self._filesystem
        try:
            system.rm_file(f"{root}/{key}")
        except FileNotFoundError:
            return
        except Exception as failed:
            raise self._error("deleted", key, failed) from failed

    def _error(self, done: str, key: str, failed: Exception) -> StorageError:
        text = " ".join(str(failed).split())[:200]
        return StorageError(
            f"{self.uri}/{key}: cannot be {done} ({type(failed).__name__}: {text})\n"
            "    -> check the bucket, storage_options.endpoint_url (or AWS_ENDPOINT_URL) and the credentials "
            "in the environment; the same command continues from here"
        )
