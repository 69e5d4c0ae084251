"""`frontier score`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import STORAGE, Context, Storage, SweepNamespace


def score(
    source: Annotated[
        str,
        typer.Argument(
            metavar="POINTS", help="A CSV of points, or a sweep that has run, by name or directory."
        ),
    ],
    preset: Annotated[
        str, typer.Option(metavar="PRESET", help="A formula: holistic, flops-v0 or size-v1.")
    ] = "holistic",
    task: Annotated[str | None, typer.Option(help="Which task, if the sweep has several.")] = None,
    storage: Storage = STORAGE,
    namespace: SweepNamespace = None,
    context: Context = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print [{name, raw, rescaled}] at full precision.")
    ] = False,
) -> None:
    """Show the composite efficiency scores of Taylor et al. 2024.

    Also shows the set of points that they depend on, and what could change their order.

    Example: frontier score demo --preset holistic --task demo-ner
    """
    from orchestrator.cli.cluster_options import ClusterOptions
    from orchestrator.cli.results.score import scores_and_notes, scores_json, show_scores, tell_set
    from orchestrator.cli.terminal import Terminal, print_json

    scores, notes = scores_and_notes(source, preset, storage, task, ClusterOptions(namespace, context))
    if as_json:
        tell_set(scores, notes, Terminal(stderr=True))
        print_json(scores_json(scores))
    else:
        show_scores(scores, notes, Terminal())
