"""The one door to the Kubernetes API: the official client, and its answers as plain data.

Every call here may be sent twice without harm (reads, server-side apply, merge patches of fixed values,
deletes of one uid, creations of one name), so a lost connection or a busy server is tried again by urllib3.
Whatever is refused in the end is a LaunchError in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from orchestrator.cluster.api_errors import RefusalError, decoded, refusal
from orchestrator.cluster.documents import KubeObject, get, items
from orchestrator.cluster.port_forward import Endpoint
from orchestrator.cluster.resources import PODS, Resource, of_body
from orchestrator.errors import LaunchError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from kubernetes.client.rest import RESTResponse

FIELD_MANAGER = "frontier"
TIMEOUT_SECONDS = 30.0
_APPLY, _MERGE, _JSON = (
    "application/apply-patch+yaml",
    "application/merge-patch+json",
    "application/json",
)


@dataclass
class Cluster:
    """`warn` hears what the API server warns of (deprecations, Pod Security, unknown fields), each once.
    `context`: its name in the kubeconfig. `options`: those of a `frontier` command that is to reach this
    cluster and namespace, each word with a space before it."""

    api: ApiClient
    namespace: str
    host: str
    warn: Callable[[str], None] = lambda warning: None
    timeout_seconds: float = TIMEOUT_SECONDS
    context: str = ""
    options: str = ""
    _warned: set[str] = field(default_factory=set)

    def command(self, *words: str) -> str:
        """A command of ours that means this cluster and namespace, to be pasted as it is."""
        return f"`frontier {' '.join(words)}{self.options}`"

    def get(self, resource: Resource, name: str) -> KubeObject | None:
        """Return an object, or None if there is none. Raises if there is no such kind."""
        try:
            return self._ask("get", resource, name)
        except RefusalError as refused:
            if refused.absent:
                return None
            raise

    def every(self, resource: Resource, *, labels: str = "", everywhere: bool = False) -> list[KubeObject]:
        """`labels`: a selector. `everywhere`: in all namespaces."""
        query = {"labelSelector": labels} if labels else {}
        answer = self._ask("list", resource, query=query, namespace="" if everywhere else None)
        return items(get(answer, "items"))

    def apply(self, body: KubeObject) -> KubeObject:
        """Server-side; unknown fields are refused."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        name = str(body["metadata"]["name"])
        return self._ask("patch", of_body(body), name, query=query, body=body, kind=_APPLY)

    def patch(self, resource: Resource, name: str, body: KubeObject) -> KubeObject:
        """A merge patch: None takes a field away."""
        query = {"fieldManager": FIELD_MANAGER}
        return self._ask("patch", resource, name, query=query, body=body, kind=_MERGE)

    def create(self, resource: Resource, body: KubeObject) -> KubeObject:
        """Refused with 409 where there is one of the name, be it the own one whose answer was lost."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        name = str(get(body, "metadata", "name") or "")
        return self._ask("create", resource, name, query=query, body=body)

    def delete(
        self, resource: Resource, name: str, uid: str | None = None, version: str | None = None
    ) -> bool:
        """Delete the object and all that it owns, which goes first. Return False if it is gone already, or is
        another object than that of `uid`, or has changed since it had the resource version."""
        options: KubeObject = {"propagationPolicy": "Foreground"}
        preconditions = {"uid": uid, "resourceVersion": version}
        options["preconditions"] = {key: value for key, value in preconditions.items() if value is not None}
        try:
            self._ask("delete", resource, name, body=options)
        except RefusalError as refused:
            if refused.status == 409 or refused.absent:
                return False
            raise
        return True

    def await_change(self, resource: Resource, name: str, since: str, seconds: int) -> bool:
        """Blocks until the object changes after the resource version `since`, the stream breaks or the time
        is over: a reason to look again, and no more. True where something was heard."""
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": since,
            "timeoutSeconds": str(seconds),
        }
        from urllib3.exceptions import HTTPError

        try:
            answer = self._send("watch", resource, query=query, seconds=seconds + self.timeout_seconds)
            with closing(answer.response) as stream:
                return any(stream.stream(4096))
        except RefusalError as refused:
            if refused.status == HTTPStatus.GONE:
                return False
            raise
        except (HTTPError, OSError):
            return False

    def log(self, pod: str, lines: int) -> str:
        """The end of what a pod has printed."""
        query = {"tailLines": str(lines)}
        answer = self._send("get", PODS, pod, query=query, part="log")
        return bytes(answer.read()).decode(errors="replace")

    def ask_path(self, path: str) -> object:
        """A GET outside the resources (`/version`, `/openapi/v3/…`); None where there is none."""
        answer = self._request("GET", path, [])
        if answer.status in (403, 404):
            return None
        return decoded(answer.read())

    def connect_to(self, pod: str, port: int) -> Endpoint:
        """A connection to a port of a pod, through the API server."""
        from kubernetes import client, stream

        # A client of its own: the library exchanges a method of it while it opens the connection.
        core = client.CoreV1Api(client.ApiClient(self.api.configuration))
        try:
            opened = stream.portforward(
                core.connect_get_namespaced_pod_portforward, pod, self.namespace, ports=str(port)
            )
        except client.ApiException as error:
            if "403" in str(error.reason):
                message = b'{"message": "pods/portforward is not allowed"}'
                what = f"{pod}/portforward"
                raise self._refusal("create", PODS, what, self.namespace, 403, message) from None
            raise LaunchError(
                f"no connection to port {port} of pod {pod}: {str(error.reason).splitlines()[0]}\n"
                "    -> the pod may just be going; try again"
            ) from None
        endpoint: Endpoint = opened.socket(port)
        return endpoint

    def _ask(
        self,
        verb: str,
        resource: Resource,
        name: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        kind: str = _JSON,
        namespace: str | None = None,
    ) -> KubeObject:
        answer = self._send(verb, resource, name, query=query, body=body, kind=kind, namespace=namespace)
        received: KubeObject = decoded(answer.read())
        return received

    def _send(
        self,
        verb: str,
        resource: Resource,
        name: str = "",
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        kind: str = _JSON,
        namespace: str | None = None,
        seconds: float | None = None,
        part: str = "",
    ) -> RESTResponse:
        """Raises RefusalError for whatever is no success. `part`: a subresource."""
        scope = self.namespace if namespace is None else namespace
        method = {"patch": "PATCH", "create": "POST", "delete": "DELETE"}.get(verb, "GET")
        path = resource.path(scope, "" if verb == "create" else quote(name)) + (f"/{part}" if part else "")
        answer = self._request(method, path, list((query or {}).items()), body, kind, seconds)
        if not 200 <= answer.status < 300:
            raise self._refusal(verb, resource, name, scope, answer.status, answer.read())
        for warning in answer.getheaders().getlist("Warning"):
            self._tell(warning)
        return answer

    def _request(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        body: object = None,
        kind: str = _JSON,
        seconds: float | None = None,
    ) -> RESTResponse:
        headers = {"Accept": "application/json"} | ({"Content-Type": kind} if body is not None else {})
        with _words_for_silence(self.host):
            request = self.api.param_serialize(
                method,
                path,
                query_params=query,
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            return self.api.call_api(*request, _request_timeout=seconds or self.timeout_seconds)

    def _refusal(
        self, verb: str, resource: Resource, name: str, path: str, status: int, content: bytes
    ) -> RefusalError:
        return refusal(verb, resource, name, path, status, content, self.command("doctor"))

    def _tell(self, header: str) -> None:
        """`299 - "the words"`."""
        _, _, quoted = header.partition(' "')
        text = quoted.rstrip('"').replace('\\"', '"') or header
        if text not in self._warned:
            self._warned.add(text)
            self.warn(text)


@contextmanager
def _words_for_silence(host: str) -> Iterator[None]:
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (HTTPError, OSError, ApiException) as error:
        reason = getattr(error, "reason", None) or error
        text = f"{type(reason).__name__}: {str(reason).splitlines()[-1] if str(reason) else ''}"
    else:
        return
    raise LaunchError(
        f"the API server {host} does not answer ({text})\n"
        "    -> look at the kubeconfig's context, your network and VPN; `kubectl version` should answer too"
    )
