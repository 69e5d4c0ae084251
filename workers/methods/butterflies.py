"""BOFT's block-diagonal matrices, in plain torch.

PEFT compiles a CUDA extension for them the first time, for minutes, and where that fails takes one butterfly
factor instead of those that were asked for, without an error. This class replaces the extension.
"""

from __future__ import annotations

import peft.tuners.boft.layer
from torch import Tensor


class BlockDiagonal:
    """The interface of the extension: the product and its gradient, each as a list of one."""

    @staticmethod
    def forward(blocks: Tensor) -> list[Tensor]:
        """(factors, count, size, size) -> (factors, count * size, count * size)."""
        factors, count, size, _ = blocks.shape
        tiles = blocks.new_zeros(factors, count, size, count, size)
        tiles.diagonal(dim1=1, dim2=3).copy_(blocks.permute(0, 2, 3, 1))
        return [tiles.view(factors, count * size, count * size)]

    @staticmethod
    def backward(gradient: Tensor, blocks: Tensor) -> list[Tensor]:
        """Return the blocks of the gradient, in the shape of `blocks`."""
        factors, count, size, _ = blocks.shape
        tiles = gradient.view(factors, count, size, count, size)
        return [tiles.diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2).contiguous()]


def settle_block_diagonal() -> None:
    peft.tuners.boft.layer._FBD_CUDA = BlockDiagonal
