"""`frontier ledger`."""

from __future__ import annotations

from orchestrator.cli.options import STORAGE, Context, Json, Storage, Sweep, SweepNamespace


def ledger(
    sweep: Sweep,
    storage: Storage = STORAGE,
    namespace: SweepNamespace = None,
    context: Context = None,
    as_json: Json = False,
) -> None:
    """Show where the device time went: useful, wasted or unexplained.

    Lists it by phase, with energy, tokens and FLOPs.

    Example: frontier ledger demo
    """
    from orchestrator.cli.cluster.copy_note import show_copied
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.paths import ledger_of
    from orchestrator.cli.results.ledger import ledger_json, show_ledger
    from orchestrator.cli.terminal import Terminal, print_json

    records = ledger_of(sweep, storage, ClusterOptions(namespace, context))
    if as_json:
        print_json(ledger_json(records))
    else:
        console = Terminal()
        show_copied(records, console)
        show_ledger(records, console)
