"""The baseline with Ray Tune: a function trainable around the Trainer, as Ray's documentation shows it.

    python tests/bench/trainer_tune.py ORDER_JSON …

One trial per cell over a grid search, one core each, Tune's own settings otherwise. Prints a line of JSON per
order.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(paths: list[str]) -> None:
    import ray
    from ray import tune

    here = str(Path(__file__).parent)

    def train(config: dict[str, Any]) -> None:
        sys.path.insert(0, here)
        from trainer_cell import train_cell

        from orchestrator.contracts.trial import AttemptOrder

        order = AttemptOrder.model_validate_json(Path(config["order"]).read_bytes())
        tune.report(train_cell(order, tuned=False))

    ray.init(address="local", num_cpus=2, log_to_driver=False, logging_level="ERROR")
    tuner = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space={"order": tune.grid_search(paths)},
        run_config=tune.RunConfig(storage_path=str(Path(paths[0]).parent / "tune"), verbose=0),
    )
    results = {result.config["order"]: result.metrics for result in tuner.fit()}
    for path in paths:
        print(json.dumps({"dev": results[path]["dev"], "test": results[path]["test"]}))


if __name__ == "__main__":
    main(sys.argv[1:])
