"""The cluster and namespace that a command line selects, and the arguments that select them again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.cluster.client import Cluster
    from orchestrator.contracts.copy_mark import Copy

NAMESPACE = "frontier"  # that of k8s/base
VARIABLE = "FRONTIER_NAMESPACE"


@dataclass(frozen=True)
class ClusterOptions:
    """--namespace and --context of a command that looks for a sweep; None where one is not given."""

    namespace: str | None = None
    context: str | None = None

    @property
    def is_given(self) -> bool:
        return self.namespace is not None or self.context is not None

    def has(self, copy: Copy | None) -> bool:
        """Return whether records belong to that namespace and cluster. `copy` is None for own records.

        Raises LaunchError if the kubeconfig lacks the context.
        """
        if not self.is_given:
            return True
        if copy is None or self.namespace not in (None, copy.namespace):
            return False
        return self.context is None or self._host == copy.host

    @cached_property
    def _host(self) -> str:
        """The API server; read from the kubeconfig once, whatever number of copies is looked at."""
        return self.reach(lambda words: None).host

    def reach(self, warn: Callable[[str], None], *, patient: bool = True) -> Cluster:
        """Connect to the cluster; the environment gives a namespace that is not given. Raises LaunchError."""
        from orchestrator.cluster.kubeconfig import connect

        namespace = self.namespace or os.environ.get(VARIABLE) or NAMESPACE
        return connect(
            namespace,
            context=self.context,
            warn=warn,
            patient=patient,
            options=as_arguments(namespace, self.context),
        )


NO_OPTIONS = ClusterOptions()


def as_arguments(namespace: str, context: str | None) -> str:
    """Return the arguments that select a namespace and a context in a printed command, each after a space."""
    arguments: list[str] = []
    if {namespace, os.environ.get(VARIABLE) or NAMESPACE} != {NAMESPACE}:
        arguments += ["--namespace", namespace]
    if context is not None:
        arguments += ["--context", context]
    return "".join(f" {shlex.quote(word)}" for word in arguments)


def has_kubeconfig() -> bool:
    kubeconfig = os.environ.get("KUBECONFIG")
    files = kubeconfig.split(os.pathsep) if kubeconfig else ["~/.kube/config"]
    return any(Path(file).expanduser().is_file() for file in files)
