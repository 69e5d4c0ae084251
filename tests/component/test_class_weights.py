"""A rare class counts for more in the loss of training, and in nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import adapted_tiny, training_context
from torch.nn.functional import cross_entropy

from orchestrator.contracts.methods.weights import Full
from orchestrator.contracts.vocabulary import TaskKind
from workers import train
from workers.batches import FlatSplit
from workers.class_weights import balanced_weights
from workers.tasks import Encoded

CPU = torch.device("cpu")


def test_balanced_weights_make_each_class_count_alike() -> None:
    labels = [0, 0, 0, 2]
    weights = balanced_weights(labels, 4)
    assert weights.tolist() == pytest.approx([4 / (2 * 3), 1, 4 / (2 * 1), 1])
    assert np.mean(weights[labels]) == pytest.approx(1)


@pytest.mark.parametrize("weigh", [False, True])
def test_the_loss_of_a_step_is_weighed_by_class_however_it_falls_into_passes(weigh: bool) -> None:
    adapted = adapted_tiny("bert", Full(), TaskKind.CLASSIFICATION)
    adapted.model.eval()  # no dropout
    labels = [0, 1, 0]
    examples = FlatSplit(Encoded([[2, 5, 3], [2, 6, 3], [2, 7, 3]], labels, None, truncated=0), 0, CPU)
    if weigh:
        examples.weigh(balanced_weights(labels, 3))
    with torch.no_grad():
        logits = adapted.model(torch.tensor([[2, 5, 3], [2, 6, 3], [2, 7, 3]])).logits
        each = cross_entropy(logits, torch.tensor(labels), reduction="none")
    expected = each @ torch.tensor([0.75, 1.5, 0.75] if weigh else [1.0, 1.0, 1.0]) / 3
    optimiser = torch.optim.SGD([p for p in adapted.model.parameters() if p.requires_grad])
    [batch] = examples.rows([[0, 1, 2]])
    loss = train.optimiser_step(
        adapted, adapted.model, optimiser, examples, batch, 0.1, training_context(CPU)
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
