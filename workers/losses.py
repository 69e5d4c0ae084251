"""The loss of what a task predicts, from logits and targets."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from workers.tasks import IGNORED, LogitMeaning


def summed_loss(
    objective: LogitMeaning, logits: Tensor, labels: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Return the sum over the targets of a batch, a scalar on the device.

    one_of: cross-entropy of `logits` (..., classes) with class ids, of the same shape without the last axis;
    `weights` (classes,) multiply each target's part. any_of: of each example the mean over its labels of the
    binary cross-entropy, `logits` and `labels` (examples, labels); `weights` (labels,) multiply the part of
    the labels that are given. number: the squared difference of `logits` (examples, 1) and `labels`
    (examples,).
    """
    if objective is LogitMeaning.NUMBER:
        return mse_loss(logits.squeeze(-1), labels, reduction="sum")
    if objective is LogitMeaning.ANY_OF:
        each = binary_cross_entropy_with_logits(logits, labels, pos_weight=weights, reduction="none")
        return each.mean(dim=-1).sum()
    flat = logits.flatten(0, -2), labels.flatten()
    return cross_entropy(*flat, weights, ignore_index=IGNORED, reduction="sum")
