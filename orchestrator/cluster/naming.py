"""Names of a sweep's objects in a cluster, and what they are marked with."""

from __future__ import annotations

import hashlib
import re

# Annotations of a RayJob. Of a template too: paths as every pod sees them, and the queue of its sweeps.
STORAGE, DATA_DIR, QUEUE = "frontier/storage", "frontier/data-dir", "frontier/queue"
SWEEP_NAME = "frontier/sweep-name"  # of a rendered sweep; a template has none
SWEEP_LABEL, QUEUE_LABEL = "frontier/sweep", "kueue.x-k8s.io/queue-name"

LONGEST_JOB_NAME = 47  # characters: KubeRay adds its own to make the names of cluster, pods and services
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_DIGITS = 6


def sweep_id(name: str, storage: str) -> str:
    """The name of a sweep's RayJob: the same for the same sweep at the same place, whatever else changes in
    its file, so that a sweep that is submitted again continues. A DNS-1035 label of at most 47 characters."""
    digest = hashlib.sha256(f"{name}\0{storage}".encode()).hexdigest()[:_DIGITS]
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug or not slug[0].isalpha():
        slug = f"sweep-{slug}".rstrip("-")
    return f"{slug[: LONGEST_JOB_NAME - _DIGITS - 1].rstrip('-')}-{digest}"


def content_name(sweep: str, content: bytes) -> str:
    """Name an immutable object by its content: other content gives another name."""
    return f"{sweep}-{hashlib.sha256(content).hexdigest()[:10]}"
