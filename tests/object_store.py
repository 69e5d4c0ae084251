"""A real S3-compatible server on a free loopback port."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

BUCKET = "sweeps"


@dataclass(frozen=True)
class S3:
    endpoint: str

    @property
    def options(self) -> dict[str, Any]:
        return {"endpoint_url": self.endpoint}

    def client(self) -> Any:
        import boto3

        return boto3.client("s3", endpoint_url=self.endpoint)

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def records(self, prefix: str, name: str) -> list[dict[str, Any]]:
        """All files of that name below the prefix."""
        client = self.client()
        found = [key for key in self.keys(prefix) if key.endswith(f"/{name}")]
        return [json.load(client.get_object(Bucket=BUCKET, Key=key)["Body"]) for key in found]


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """Its bucket is BUCKET; the credentials are in the environment, where processes of tests find them."""
    with running_s3() as found:
        yield found


@contextmanager
def running_s3() -> Iterator[S3]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it tells every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _one_write_at_a_time(server)
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "invented",
            "AWS_SECRET_ACCESS_KEY": "invented",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            environment.setenv(name, value)
        found = S3(f"http://{host}:{port}")
        found.client().create_bucket(Bucket=BUCKET)
        yield found
    server.stop()


def _one_write_at_a_time(server: Any) -> None:
    """The stand-in looks whether an object is there and then writes it, in threads: what a store does in one
    step, a lock makes one step of."""
    lock, app = threading.Lock(), server._server.app

    def guarded(environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] != "PUT":
            return app(environ, start)
        with lock:
            return app(environ, start)

    server._server.app = guarded
