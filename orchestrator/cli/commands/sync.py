"""`frontier sync`."""

from __future__ import annotations

from orchestrator.cli.options import STORAGE, Context, Storage, Sweep, SweepNamespace


def sync(
    sweep: Sweep,
    storage: Storage = STORAGE,
    namespace: SweepNamespace = None,
    context: Context = None,
) -> None:
    """Rebuild the MLflow runs from the records.

    Runs of the sweep whose records are gone are deleted. A second run changes nothing. If the records are in
    a cluster, it runs there.

    Example: frontier sync demo
    """
    import os
    from functools import partial

    from orchestrator.cli.cluster.ui import sweep_location
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.export.logged import log_models
    from orchestrator.cli.paths import ledger_of
    from orchestrator.cli.results.report import build_and_write, summary_note
    from orchestrator.cli.terminal import Terminal
    from orchestrator.tracking.mlflow_view import sync as publish_all
    from orchestrator.tracking.tracking_uri import tracking_uri, without_secrets
    from orchestrator.units import quantity

    where, console = ClusterOptions(namespace, context), Terminal()
    copy = sweep_location(sweep, storage, where)
    if copy is not None:
        from orchestrator.cli.cluster.submit import open_sweeps
        from orchestrator.cli.cluster.sync import sync_in_cluster

        sweeps = open_sweeps(copy.namespace, copy.context, console)
        copy.refuse_other(sweeps.cluster.host)
        sync_in_cluster(sweeps, sweeps.named(copy.sweep))
        return
    ledger = ledger_of(sweep, storage, where)
    uri = tracking_uri(ledger.directory.parent, os.environ)
    with ledger.lock():
        report = build_and_write(ledger)[0]
        models = partial(log_models, ledger, report, console)
        wanted = ledger.sweep().config.get("log_models")
        done = publish_all(ledger, uri, summary_note(report), models if wanted else None)
    logged = f", {quantity(done.models, 'model')} logged" if done.models else ""
    retired = f", {done.retired} deleted because their records are gone" if done.retired else ""
    counts = f"{done.published} runs written, {done.unchanged} were up to date"
    console.print(f"{counts}{logged}{retired}: {without_secrets(uri)}", highlight=False)
