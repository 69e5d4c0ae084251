"""Pod Security `restricted`, evaluated on the pods that will run.

By the Pod Security Standards of Kubernetes (kubernetes.io/docs/concepts/security/pod-security-standards). The
API server applies them to pods only: a RayJob that breaks them is taken, and then waits for pods that never
come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks.pods import Container, Pod
from orchestrator.cluster.documents import Document, KubeObject, get, items, mapping, of_kind
from orchestrator.errors import Problem

_ENFORCE = "pod-security.kubernetes.io/enforce"
_VOLUMES = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
_SECCOMP = ("RuntimeDefault", "Localhost")
_APP_ARMOR = (None, "RuntimeDefault", "Localhost")
_SELINUX = (None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_SYSCTLS = ("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies")


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    for namespace in of_kind(documents, "Namespace"):
        level = mapping(namespace.metadata.get("labels")).get(_ENFORCE)
        if level != "restricted":
            problem = f"{level!r}: pods could ask for more than a sweep needs"
            yield namespace.problem_at(f"metadata.labels.{_ENFORCE}", problem, "write restricted")
    for pod in pods:
        yield from _pod(pod)
        for container in pod.containers:
            yield from _container(pod, container)


def _pod(pod: Pod) -> Iterator[Problem]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(field):
            yield pod.problem_at(field, f"{pod.role}: restricted forbids it", "remove it")
    for number, volume in enumerate(items(pod.spec.get("volumes"))):
        for kind in sorted(set(volume) - {"name"} - set(_VOLUMES)):
            fix = f"use one of: {', '.join(_VOLUMES)}"
            key = f"volumes.{number}.{kind}"
            yield pod.problem_at(key, f"{pod.role}: restricted forbids {kind} volumes", fix)
    context = mapping(pod.spec.get("securityContext"))
    for number, sysctl in enumerate(items(context.get("sysctls"))):
        if sysctl.get("name") not in _SYSCTLS:
            key = f"securityContext.sysctls.{number}"
            yield pod.problem_at(key, f"restricted forbids {sysctl.get('name')!r}", "remove it")
    if context.get("runAsUser") == 0:
        yield pod.problem_at("securityContext.runAsUser", f"{pod.role} would run as root", "write 1000")
    if get(context, "seccompProfile", "type") not in (None, *_SECCOMP):
        got = get(context, "seccompProfile", "type")
        problem = f"{pod.role}: {got!r} breaks Pod Security restricted"
        yield pod.problem_at("securityContext.seccompProfile.type", problem, "write RuntimeDefault")
    for field, got, expected in _confinement(context):
        problem = f"{pod.role}: {got!r} breaks Pod Security restricted"
        yield pod.problem_at(f"securityContext.{field}", problem, expected)


def _confinement(context: KubeObject) -> Iterator[tuple[str, object, str]]:
    """Field, value and fix of what lifts AppArmor or SELinux, of a pod or a container."""
    profile = get(context, "appArmorProfile", "type")
    if profile not in _APP_ARMOR:
        yield "appArmorProfile.type", profile, "remove it, or write RuntimeDefault"
    options = mapping(context.get("seLinuxOptions"))
    if options.get("type") not in _SELINUX:
        yield "seLinuxOptions.type", options.get("type"), "remove it, or write container_t"
    for field in ("user", "role"):
        if options.get(field):
            yield f"seLinuxOptions.{field}", options[field], "remove it"


def _container(pod: Pod, container: Container) -> Iterator[Problem]:
    own = mapping(container.body.get("securityContext"))
    pod_context = mapping(pod.spec.get("securityContext"))
    key = f"{container.key}.securityContext"
    by = ", which KubeRay adds," if container.made_by_kuberay else ""
    subject = f"container {container.name}{by} of {pod.role}"

    def problem_at(field: str, got: object, fix: str) -> Problem:
        return pod.problem_at(f"{key}.{field}", f"{subject}: {got!r} breaks Pod Security restricted", fix)

    if own.get("allowPrivilegeEscalation") is not False:
        yield problem_at("allowPrivilegeEscalation", own.get("allowPrivilegeEscalation"), "write false")
    if own.get("privileged"):
        yield problem_at("privileged", True, "remove it")
    if "ALL" not in (get(own, "capabilities", "drop") or []):
        yield problem_at("capabilities.drop", get(own, "capabilities", "drop"), "write [ALL]")
    added = [name for name in get(own, "capabilities", "add") or [] if name != "NET_BIND_SERVICE"]
    if added:
        yield problem_at("capabilities.add", added, "remove them")
    if own.get("runAsNonRoot", pod_context.get("runAsNonRoot")) is not True:
        yield problem_at("runAsNonRoot", own.get("runAsNonRoot"), "write true, here or for the pod")
    if own.get("runAsUser") == 0:
        yield problem_at("runAsUser", 0, "write 1000")
    seccomp = get(own, "seccompProfile", "type") or get(pod_context, "seccompProfile", "type")
    if seccomp not in _SECCOMP:
        yield problem_at("seccompProfile.type", seccomp, "write RuntimeDefault, here or for the pod")
    for field, got, wanted in _confinement(own):
        yield problem_at(field, got, wanted)
    if own.get("procMount") not in (None, "Default"):
        yield problem_at("procMount", own.get("procMount"), "remove it")
    for number, port in enumerate(items(container.body.get("ports"))):
        if port.get("hostPort"):
            where = f"{container.key}.ports.{number}.hostPort"
            yield pod.problem_at(where, f"{subject}: restricted forbids host ports", "remove it")
