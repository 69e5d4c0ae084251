"""Sweeps on Kubernetes: rendering, checking, submitting. The manifests themselves are in `k8s/`.

Nothing is imported here: the submitter's pod starts from this package with the standard library alone.
"""
