"""The kubeconfig: a connection to the cluster of its current context, or of a named one."""

from __future__ import annotations

from collections.abc import Callable

import yaml

from orchestrator.cluster.client import TIMEOUT_SECONDS, Cluster
from orchestrator.errors import LaunchError

_SHORT_SECONDS = 3.0
_TRIES = 4
_BUSY = (429, 500, 502, 503, 504)


def connect(
    namespace: str,
    *,
    context: str | None = None,
    warn: Callable[[str], None],
    patient: bool = True,
    options: str = "",
) -> Cluster:
    """Connect by the kubeconfig (KUBECONFIG, ~/.kube/config). No request is sent yet. `patient`: try again,
    and wait long for an answer. `options`: as `Cluster` has them. Raises LaunchError where the client library
    or the context is missing."""
    try:
        from kubernetes import client, config
    except ModuleNotFoundError:
        raise LaunchError(
            "the Kubernetes client is not installed\n    -> pip install 'frontier-sweeps[k8s]'"
        ) from None
    from urllib3.util.retry import Retry

    configuration = client.Configuration()
    try:
        config.load_kube_config(context=context, client_configuration=configuration)
        context_name = context or str(config.list_kube_config_contexts()[1]["name"])
    except (config.ConfigException, OSError, ValueError, yaml.YAMLError) as error:
        unread = isinstance(error, ValueError | yaml.YAMLError)
        reason = "the kubeconfig cannot be read" if unread else str(error).splitlines()[0]
        raise LaunchError(
            f"no cluster to talk to: {reason}\n"
            "    -> point KUBECONFIG at a kubeconfig, or choose one of its contexts with --context"
        ) from None
    configuration.retries = Retry(
        total=_TRIES if patient else 0,
        backoff_factor=0.2,
        status_forcelist=_BUSY,
        allowed_methods={"GET", "PATCH", "POST", "DELETE"},
        raise_on_status=False,
    )
    timeout = TIMEOUT_SECONDS if patient else _SHORT_SECONDS
    api, host = client.ApiClient(configuration), str(configuration.host)
    return Cluster(api, namespace, host, warn, timeout, context_name, options)


def known_context(name: str | None) -> str | None:
    """Return the context if the kubeconfig has it; None, which means the current one, otherwise."""
    from kubernetes import config

    try:
        names = {context["name"] for context in config.list_kube_config_contexts()[0]}
    except (config.ConfigException, OSError, ValueError, yaml.YAMLError):
        return None
    return name if name in names else None
