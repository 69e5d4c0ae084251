"""Which cluster and namespace a command line means, and the words that name them again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.cluster.client import Cluster
    from orchestrator.contracts.copy_mark import Copy

NAMESPACE = "frontier"  # that of k8s/base
VARIABLE = "FRONTIER_NAMESPACE"


@dataclass(frozen=True)
class Where:
    """What a command line says of the cluster that has a sweep; None where it says nothing."""

    namespace: str | None = None
    context: str | None = None

    @property
    def is_said(self) -> bool:
        return self.namespace is not None or self.context is not None

    def has(self, copy: Copy | None) -> bool:
        """Whether records that are a copy, or None for a sweep's own, are of that namespace and cluster.
        Raises LaunchError where the kubeconfig lacks the context."""
        if not self.is_said:
            return True
        if copy is None or self.namespace not in (None, copy.namespace):
            return False
        return self.context is None or self.reach(lambda words: None).host == copy.host

    def reach(self, warn: Callable[[str], None], *, patient: bool = True) -> Cluster:
        """`connect` to it, by the environment where nothing is said. Raises LaunchError as that does."""
        from orchestrator.cluster.client import connect

        namespace = self.namespace or os.environ.get(VARIABLE) or NAMESPACE
        return connect(
            namespace,
            context=self.context,
            warn=warn,
            patient=patient,
            options=options(namespace, self.context),
        )


ANYWHERE = Where()


def options(namespace: str, context: str | None) -> str:
    """What a printed command needs to mean that namespace and context, with a space before each word."""
    words: list[str] = []
    if {namespace, os.environ.get(VARIABLE) or NAMESPACE} != {NAMESPACE}:
        words += ["--namespace", namespace]
    if context is not None:
        words += ["--context", context]
    return "".join(f" {shlex.quote(word)}" for word in words)


def has_kubeconfig() -> bool:
    named = os.environ.get("KUBECONFIG")
    files = named.split(os.pathsep) if named else ["~/.kube/config"]
    return any(Path(file).expanduser().is_file() for file in files)
