"""The checker: every mistake in a set of manifests that can be found without a cluster, all at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.cluster.checks import (
    admission,
    groups,
    house_rules,
    kuberay_job,
    kueue,
    names,
    pod_security,
    rbac,
    reachability,
    resource_names,
    scheduling,
    schema,
    secrets,
    submission,
    switches,
    tolerations,
    versions,
)
from orchestrator.cluster.checks.pods import created_pods
from orchestrator.cluster.documents import Document
from orchestrator.errors import Problem


def check_manifests(documents: Sequence[Document], *, ask_ray: bool = True) -> list[Problem]:
    """`ask_ray`: let Ray's autoscaler read each cluster, which loads Ray."""
    problems = list(schema.check(documents))
    forgive = bool(problems) or not schema.built_in_kinds_are_known()
    pods = created_pods(documents)
    deeper = [
        kuberay_job.check(documents),
        house_rules.check(documents, pods),
        submission.check(documents),
        groups.check(documents, pods),
        admission.check(documents, pods),
        tolerations.check(pods),
        resource_names.check(pods),
        pod_security.check(documents, pods),
        names.check(documents, pods),
        rbac.check(documents, pods),
        secrets.check(documents, pods),
        switches.check(documents, pods),
        reachability.check(documents, pods),
        kueue.check(documents),
        versions.check(documents, pods),
    ]
    problems += [problem for check in deeper for problem in _as_far_as_it_goes(check, forgive)]
    if ask_ray and not problems:
        problems += scheduling.check(documents)
    return list(dict.fromkeys(problems))


def _as_far_as_it_goes(check: Iterator[Problem], forgive: bool) -> Iterator[Problem]:
    """The deeper checks take the shape of an object for granted. Where the schema has a problem with one, a
    check that stumbles over it ends there."""
    try:
        yield from check
    except (AttributeError, KeyError, TypeError, ValueError):
        if not forgive:
            raise
