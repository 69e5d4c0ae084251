"""One version of Ray: in the image, in rayVersion, in what is installed here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

from orchestrator.cluster.checks.pods import Pod, cluster_of
from orchestrator.cluster.documents import Document
from orchestrator.errors import Problem

_TAGGED_WITH_RAY = re.compile(r"ray-?(\d+\.\d+\.\d+)")


def check(documents: Sequence[Document], pods: Sequence[Pod]) -> Iterator[Problem]:
    yield from _pinned(pods)
    for document in documents:
        ray_cluster = cluster_of(document)
        if ray_cluster is None:
            continue
        cluster, key = ray_cluster
        declared = str(cluster.get("rayVersion") or "")
        here = _installed()
        if declared and here and declared != here:
            problem = f"{declared}, while the sweep was checked with Ray {here}"
            yield document.problem_at(f"{key}.rayVersion", problem, f"write {here}, as in constraints.txt")
        mine = [pod for pod in pods if pod.document is document]
        images = {(c.key, str(c.body.get("image"))) for pod in mine for c in pod.containers[:1] if c.body}
        images = {(where, image) for where, image in images if image != "None"}
        for where, image in sorted(images):
            tagged = _TAGGED_WITH_RAY.search(image.rpartition(":")[2])
            if tagged and declared and tagged[1] != declared:
                problem = f"{image} holds Ray {tagged[1]}, and rayVersion is {declared}"
                yield document.problem_at(f"{where}.image", problem, "make them one version")
        if len({image for _, image in images}) > 1:
            shown = ", ".join(sorted({image for _, image in images}))
            problem = f"head, workers and submitter run several images: {shown}"
            yield document.problem_at(key, problem, "use one image for all")


def _installed() -> str | None:
    try:
        return version("ray")
    except PackageNotFoundError:
        return None


def _pinned(pods: Sequence[Pod]) -> Iterator[Problem]:
    for pod in pods:
        for container in pod.containers:
            if container.made_by_kuberay:
                continue
            image = str(container.body.get("image") or "")
            tag = image.rpartition("/")[2].partition(":")[2]
            if not image:
                yield pod.problem_at(f"{container.key}.image", "is missing", "name an image and its tag")
            elif "@sha256:" not in image and (not tag or tag == "latest"):
                problem = f"{image!r} is a moving tag"
                yield pod.problem_at(f"{container.key}.image", problem, "give a tag, or a digest")
