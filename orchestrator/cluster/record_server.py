"""Serves the records of a sweep from a pod of its own, on the pod's loopback. Only the API server's port
forwarding reaches that.

python -m orchestrator.cluster.record_server DIRECTORY

`GET /records.tar` gives a tar archive of the records and the report, without checkpoints, weights and what
may quote text. Its last member `index.json` holds the SHA-256 of each file as it was sent: an archive without
it was cut short. It is sent once: then the process ends. Standard library only.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import IO

from orchestrator.contracts import layout

PORT = 8080
ARCHIVE, INDEX = "/records.tar", "index.json"
BYTES = "X-Records-Bytes"  # header: about how many are to come


def records(directory: Path) -> Iterator[Path]:
    """The files that are served, those of the sweep itself first."""
    yield from (path for name in layout.OF_SWEEP if (path := directory / name).is_file())
    yield from sorted(path for path in (directory / layout.REPORT).glob("*") if path.is_file())
    for attempt in sorted((directory / layout.TRIALS).glob(layout.ATTEMPTS)):
        yield from (path for name in layout.RECORDS if (path := attempt / name).is_file())


class _Hashed(io.RawIOBase):
    """Reads a file and hashes what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.sha256 = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self.sha256.update(content)
        return content


def write_archive(directory: Path, out: io.BufferedIOBase) -> None:
    """Records that grow meanwhile are taken as long as they were when their turn came."""
    index: dict[str, str] = {}
    with tarfile.open(fileobj=out, mode="w|") as archive:
        for path in records(directory):
            name = path.relative_to(directory).as_posix()
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            with file:
                member, hashed = archive.gettarinfo(arcname=name, fileobj=file), _Hashed(file)
                archive.addfile(member, hashed)
                index[name] = hashed.sha256.hexdigest()
        content = json.dumps(index).encode()
        last = tarfile.TarInfo(INDEX)
        last.size = len(content)
        archive.addfile(last, io.BytesIO(content))


class RecordServer(HTTPServer):
    """`port` 0 takes a free one."""

    def __init__(self, directory: Path, port: int = PORT) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.directory = directory


class _Handler(BaseHTTPRequestHandler):
    server: RecordServer
    protocol_version = "HTTP/1.1"  # both requests come over one connection

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_HEAD(self) -> None:
        """Answer clients that ask whether this has started."""
        self.send_response(204)
        self.end_headers()

    def do_GET(self) -> None:
        threading.Thread(target=self.server.shutdown, daemon=True).start()  # once this is answered
        directory = self.server.directory
        if self.path != ARCHIVE or not (directory / layout.SWEEP).is_file():
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header(BYTES, str(sum(path.stat().st_size for path in records(directory))))
        self.send_header("Connection", "close")  # its end is that of the archive
        self.end_headers()
        write_archive(directory, self.wfile)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m orchestrator.cluster.record_server DIRECTORY", file=sys.stderr)
        return 2
    with RecordServer(Path(arguments[0])) as server:
        server.serve_forever(poll_interval=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
