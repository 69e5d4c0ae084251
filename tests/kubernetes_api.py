"""A Kubernetes API server in miniature, over HTTP, for the real client: objects in memory, server-side apply,
merge patches, foreground deletion with owners, watches that end when told to, port forwarding, and refusals.

A RayJob goes through the states of a script, one with each watch: the operator of these tests.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import itertools
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

Body = dict[str, Any]
Key = tuple[str, str, str, str]  # group, plural, namespace, name
GROUPS = {"", "ray.io", "apps", "storage.k8s.io", "authorization.k8s.io"}
CLUSTER_WIDE = {"namespaces", "nodes", "storageclasses", "selfsubjectaccessreviews"}
_ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455


class RefusedError(Exception):
    def __init__(self, status: int, message: str, **details: Any) -> None:
        self.status, self.message, self.details = status, message, details

    @property
    def body(self) -> Body:
        return {"kind": "Status", "code": self.status, "message": self.message, "details": self.details}


@dataclass
class FakeApi:
    """`scripts`: for the first, second, … RayJob that is made, the states it goes through; None ends it by
    the last. A state may be a function, called with the server and the RayJob."""

    scripts: list[list[Any]] = field(default_factory=list)
    home: str = "frontier"  # the namespace of what is put into it without another
    groups: set[str] = field(default_factory=lambda: set(GROUPS))
    refusals: dict[tuple[str, str], RefusedError] = field(default_factory=dict)  # (verb, plural)
    denied: set[tuple[str, str]] = field(default_factory=set)  # what access reviews say no to
    trouble: list[int] = field(default_factory=list)  # statuses to answer with, one request each
    lost_answers: list[str] = field(default_factory=list)  # methods of which one answer each is lost
    broken_watches: list[str] = field(default_factory=list)  # "cut", "gone" (HTTP 410), one watch each
    warning: str | None = None
    operator: str | None = "quay.io/kuberay/operator:v1.7.0"
    ports: dict[tuple[str, int], int] = field(default_factory=dict)  # (pod, port) -> port of this machine
    logs: dict[str, str] = field(default_factory=dict)  # pod -> what it has printed
    finalisers: bool = True
    objects: dict[Key, Body] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)  # (verb, plural) of everything that came
    before: dict[tuple[str, str], Callable[[], object]] = field(default_factory=dict)  # what comes in between
    _applied: dict[tuple[Key, str], Body] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _made: int = 0
    _script: dict[str, list[Any]] = field(default_factory=dict)  # by uid
    changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, plural: str, name: str, body: Body, group: str = "", namespace: str | None = None) -> Body:
        """As if it had always been there."""
        key = (group, plural, "" if plural in CLUSTER_WIDE else namespace or self.home, name)
        return self._store(key, copy.deepcopy(body))

    def ray_job(self, name: str) -> Body | None:
        return self.objects.get(("ray.io", "rayjobs", self.home, name))

    def all(self, plural: str) -> list[Body]:
        return [body for key, body in self.objects.items() if key[1] == plural]

    def pod(self, name: str, sweep: str, kind: str, **status: Any) -> Body:
        labels = {"frontier/sweep": sweep, "ray.io/node-type": kind, "ray.io/group": "cpu"}
        body = {"metadata": {"labels": labels}, "status": {"phase": "Running"} | status}
        return self.put("pods", name, body)

    def event(self, kind: str, name: str, reason: str, message: str) -> Body:
        number = next(self._numbers)
        about = {"kind": kind, "name": name}
        body = {"type": "Warning", "reason": reason, "message": message, "involvedObject": about}
        return self.put("events", f"event-{number}", body | {"lastTimestamp": "2999-01-01T00:00:00Z"})

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, kind: str) -> tuple[int, Any]:
        parts = [unquote(part) for part in path.strip("/").split("/")]
        group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
        if group not in self.groups:
            return 404, b"404 page not found\n"
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name = rest[0], rest[1] if len(rest) > 1 else ""
        verb = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}.get(method, "get" if name else "list")
        self.seen.append((verb, plural))
        if (verb, plural) in self.refusals:
            raise self.refusals[verb, plural]
        self.before.pop((verb, plural), lambda: None)()
        key = (group, plural, namespace, name)
        if rest[2:] == ["log"]:
            lines = self.logs.get(name, "").splitlines(keepends=True)
            return 200, "".join(lines[-int(query["tailLines"]) :]).encode()
        with self.changed:
            if plural == "selfsubjectaccessreviews":
                wanted = body["spec"]["resourceAttributes"]
                denied = (wanted["verb"], wanted["resource"]) in self.denied
                return 201, body | {"status": {"allowed": not denied}}
            if verb == "list":
                return 200, {"items": self._listed(group, plural, namespace, query)}
            if verb == "create":
                return 201, self._create((*key[:3], body["metadata"]["name"]), body)
            if verb == "patch" and "apply-patch" in kind:
                return 200, self._apply(key, body, query["fieldManager"])
            if key not in self.objects:
                raise RefusedError(
                    404, f'{plural}{group and "." + group} "{name}" not found', name=name, kind=plural
                )
            if verb == "patch":
                wanted = (body.get("metadata") or {}).pop("resourceVersion", None)
                if wanted not in (None, self.objects[key]["metadata"]["resourceVersion"]):
                    raise RefusedError(409, "the object has been modified", name=name)
                return 200, self._store(key, _merged(self.objects[key], body))
            if verb == "delete":
                return 200, self._delete(key, body or {})
            return 200, self.objects[key]

    def advance(self, key: Key) -> None:
        """The operator's turn."""
        with self.changed:
            body = self.objects.get(key)
            if body is None:
                return
            if "deletionTimestamp" in body["metadata"]:
                self._remove(key)
                return
            script = self._script.get(body["metadata"]["uid"])
            if not script or body["spec"].get("suspend"):
                return
            state = script.pop(0)
        status = state(self, copy.deepcopy(body)) if callable(state) else state
        with self.changed:
            if key in self.objects and status is not None:
                self._store(key, self.objects[key] | {"status": status})

    def await_after(self, key: Key, since: int, seconds: float) -> Body | None:
        """The object as it is once it is newer than `since`; None when the time is over."""

        def newer() -> bool:
            body = self.objects.get(key)
            return body is None or int(body["metadata"]["resourceVersion"]) > since

        with self.changed:
            self.changed.wait_for(newer, timeout=seconds)
            return (self.objects.get(key) or {"metadata": {"name": key[3]}}) if newer() else None

    def _listed(self, group: str, plural: str, namespace: str, query: dict[str, str]) -> list[Body]:
        wanted = [part.partition("=") for part in query.get("labelSelector", "").split(",") if part]

        def matches(body: Body) -> bool:
            labels = body["metadata"].get("labels") or {}
            return all(name in labels and (not sign or labels[name] == value) for name, sign, value in wanted)

        found = {k: body for k, body in self.objects.items() if k[:2] == (group, plural) and matches(body)}
        return [body for key, body in found.items() if not namespace or key[2] == namespace]

    def _create(self, key: Key, body: Body) -> Body:
        self._in_a_namespace(key)
        if key in self.objects:
            raise RefusedError(409, f'{key[1]} "{key[3]}" already exists', name=key[3], kind=key[1])
        return self._store(key, body)

    def _in_a_namespace(self, key: Key) -> None:
        if ("", "namespaces", "", key[2]) not in self.objects:
            raise RefusedError(404, f'namespaces "{key[2]}" not found', name=key[2], kind="namespaces")

    def _apply(self, key: Key, body: Body, manager: str) -> Body:
        self._in_a_namespace(key)
        old = self.objects.get(key)
        for (owned, other), theirs in self._applied.items():
            fields = list(_conflicts(theirs, body)) if owned == key and other != manager else []
            if fields:
                causes = [{"field": name, "message": f'conflict with "{other}"'} for name in fields]
                raise RefusedError(409, f'Apply failed: conflict with "{other}"', causes=causes)
        if old is not None and old.get("immutable") and old.get("data") != body.get("data"):
            raise RefusedError(
                422, "field is immutable", causes=[{"field": "data", "message": "is immutable"}]
            )
        self._applied[key, manager] = copy.deepcopy(body)
        return self._store(key, _merged(old or {}, body))

    def _store(self, key: Key, body: Body) -> Body:
        with self.changed:
            old = self.objects.get(key)
            metadata = body.setdefault("metadata", {})
            metadata["name"] = key[3]
            metadata["resourceVersion"] = str(next(self._numbers))
            if key[2]:
                metadata["namespace"] = key[2]
            if old is None:
                metadata.setdefault("uid", f"uid-{metadata['resourceVersion']}")
                metadata.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
                if key[1] == "rayjobs":
                    script = self.scripts[self._made] if self._made < len(self.scripts) else []
                    self._script[metadata["uid"]] = list(script)
                    self._made += 1
            self.objects[key] = body
            self.changed.notify_all()
            return body

    def _delete(self, key: Key, options: Body) -> Body:
        body = self.objects[key]
        for wanted, value in (options.get("preconditions") or {}).items():
            if value != body["metadata"][wanted]:
                raise RefusedError(409, f"the {wanted} in the precondition does not match", name=key[3])
        if key[1] == "rayjobs" and self.finalisers:
            body["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:01Z"
            return self._store(key, body)
        self._remove(key)
        return body

    def _remove(self, key: Key) -> None:
        body = self.objects.pop(key)
        for applied in [k for k in self._applied if k[0] == key]:
            del self._applied[applied]
        uid = body["metadata"]["uid"]
        for other, owned in list(self.objects.items()):
            if any(owner["uid"] == uid for owner in owned["metadata"].get("ownerReferences") or []):
                self._remove(other)
        self.changed.notify_all()


def _merged(old: Any, new: Any) -> Any:
    """RFC 7386."""
    if not isinstance(new, dict):
        return copy.deepcopy(new)
    found = dict(old) if isinstance(old, dict) else {}
    for key, value in new.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), value)
    return found


def _conflicts(theirs: Any, ours: Any, path: str = "") -> Iterator[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted(set(theirs) & set(ours)):
            yield from _conflicts(theirs[key], ours[key], f"{path}.{key}")
    elif theirs != ours:
        yield path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: FakeApi

    def log_message(self, *_: Any) -> None:
        pass

    def _handle(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if self.api.trouble:
            self._send(self.api.trouble.pop(0), {"message": "busy"})
        elif url.path.endswith("/portforward"):
            self._forward(url.path.split("/")[-2], int(query["ports"]))
        elif url.path in ("/version", "/apis/ray.io/v1") or url.path.startswith("/openapi"):
            self._send(*self._about(url.path))
        else:
            try:
                if query.get("watch"):
                    self._watch(url.path, query)
                else:
                    kind = self.headers.get("Content-Type", "")
                    answer = self.api.answer(self.command, url.path, query, body, kind)
                    if self.command in self.api.lost_answers:
                        self.api.lost_answers.remove(self.command)
                        answer = 503, {"message": "lost"}
                    self._send(*answer)
            except RefusedError as refused:
                self._send(refused.status, refused.body)

    do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815  the library's own names

    def _about(self, path: str) -> tuple[int, Any]:
        if path == "/version":
            return 200, {"gitVersion": "v1.36.2"}
        if "ray.io" not in self.api.groups:
            return 404, b"404 page not found\n"
        if path.startswith("/openapi"):
            return 200, {"fields": ["preRunningDeadlineSeconds"]}
        return 200, {"resources": [{"name": "rayjobs"}, {"name": "rayclusters"}]}

    def _send(self, status: int, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if self.api.warning and self.command == "PATCH":
            self.send_header("Warning", f'299 - "{self.api.warning}"')
        self.end_headers()
        self.wfile.write(content)

    def _watch(self, path: str, query: dict[str, str]) -> None:
        parts = path.strip("/").split("/")
        key = (parts[1], parts[-1], parts[-2], query["fieldSelector"].partition("=")[2])
        how = self.api.broken_watches.pop(0) if self.api.broken_watches else ""
        if how == "gone":
            raise RefusedError(410, "too old resource version")
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if how == "cut":
            self.wfile.write(b"40\r\n{half")
            self.close_connection = True
            return
        self.api.advance(key)
        found = self.api.await_after(key, int(query["resourceVersion"]), float(query["timeoutSeconds"]))
        if found is not None:
            line = json.dumps({"type": "MODIFIED", "object": found}).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def _forward(self, pod: str, port: int) -> None:
        """The channels of Kubernetes' port forwarding: data on 0, errors on 1, each opened by its port."""
        self.api.seen.append(("get", "portforward"))
        if ("get", "portforward") in self.api.refusals:
            self._send(403, self.api.refusals["get", "portforward"].body)
            return
        key = self.headers["Sec-WebSocket-Key"] + _ACCEPT
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header(
            "Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        )
        self.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
        self.end_headers()
        with socket.create_connection(("127.0.0.1", self.api.ports[pod, port])) as backend:
            for channel in (b"\0", b"\1"):
                self._frame(channel + struct.pack("<H", port))
            threading.Thread(target=self._down, args=(backend,), daemon=True).start()
            with contextlib.suppress(OSError, struct.error):
                while (frame := self._read_frame()) is not None:
                    backend.sendall(frame[1:])
        self.close_connection = True

    def _down(self, backend: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := backend.recv(4096):
                self._frame(b"\0" + data)
            self._frame(b"", opcode=8)

    def _frame(self, payload: bytes, opcode: int = 2) -> None:
        size = len(payload)
        header = bytes([0x80 | opcode, size]) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 126, size)
        self.wfile.write(header + payload)

    def _read_frame(self) -> bytes | None:
        """A frame's payload, unmasked; None at the end."""
        first, second = struct.unpack("!BB", self.rfile.read(2))
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self.rfile.read(2))
        mask, data = self.rfile.read(4), self.rfile.read(size)
        if first & 0x0F == 8:
            return None
        return bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def serving(api: FakeApi, kubeconfig: Path) -> Iterator[str]:
    """Gives the address, and writes a kubeconfig with it."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": api}))
    host = f"http://127.0.0.1:{server.server_address[1]}"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "fake",
                "clusters": [{"name": "fake", "cluster": {"server": host}}],
                "users": [{"name": "fake", "user": {"token": "fake-login"}}],
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            }
        )
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()


State = Body | Callable[[FakeApi, Body], Body | None]
