"""A Hugging Face hub on 127.0.0.1 with one model and one data set: what fetching a snapshot needs of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

REPOSITORY, DATASET = "some-org/some-bert", "some-org/some-letters"
_ANY = f"(models/{REPOSITORY}|datasets/{DATASET})"


@dataclass
class Hub:
    """`branches` may be moved while it serves. A gated one answers only to `token`."""

    folders: dict[str, Path]  # by commit
    branches: dict[str, str]  # commit by name
    token: str | None = None
    url: str = ""
    fetched: list[str] = field(default_factory=list)  # paths of the files that were sent


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    class Handler(_Handler):
        served = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    served: Hub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].replace("%2F", "/")
        if self.served.token and self.headers.get("Authorization") != f"Bearer {self.served.token}":
            self._send(403 if "Authorization" in self.headers else 401, b"", error="GatedRepo")
        elif found := re.fullmatch(rf"/api/{_ANY}/(revision|tree)/(.+)", path):
            self._describe(found[1].partition("/")[2], found[2], found[3])
        elif found := re.fullmatch(rf"/{_ANY.replace('models/', '')}/resolve/([^/]+)/(.+)", path):
            file = self.served.folders[found[2]] / found[3]
            if not file.is_file():
                self._send(404, b"", error="EntryNotFound")
                return
            self.served.fetched += [path] if self.command == "GET" else []
            self._send(200, file.read_bytes(), commit=found[2])
        else:
            self._send(404, b"", error="RepoNotFound")

    def _describe(self, repository: str, what: str, revision: str) -> None:
        commit = self.served.branches.get(revision, revision)
        if commit not in self.served.folders:
            self._send(404, b"", error="RevisionNotFound")
            return
        folder = self.served.folders[commit]
        files = {f.relative_to(folder).as_posix(): f for f in sorted(folder.rglob("*")) if f.is_file()}
        tree = [
            {"type": "file", "path": name, "size": f.stat().st_size, "oid": _digest(f.read_bytes())}
            for name, f in files.items()
        ]
        info = {"id": repository, "sha": commit, "siblings": [{"rfilename": name} for name in files]}
        self._send(200, json.dumps(tree if what == "tree" else info).encode(), commit=commit)

    def _send(self, status: int, body: bytes, *, commit: str = "", error: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("ETag", f'"{_digest(body)}"')
        if commit:
            self.send_header("X-Repo-Commit", commit)
        if error:
            self.send_header("X-Error-Code", error)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The tests' output stays quiet."""


def _digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
