"""The exchange between ranks: tensors and plain values, never objects that can run code.

A pickle can run code when it is read, and any process that reaches a port of the attempt may send one. So the
unpicklers here build tensors, numbers, strings and containers only, and reject everything else.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import pickle
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import distributed_c10d

# What libraries send over torch.distributed beside containers, by module and name.
_HARMLESS = frozenset(
    {
        ("collections", "OrderedDict"),
        ("torch", "Size"),
        ("torch", "device"),
        ("torch._utils", "_rebuild_tensor_v2"),
        ("torch.distributed._state_dict_utils", "_TensorInfo"),
    }
)
_STORAGE = ("torch.storage", "_load_from_bytes")  # of a tensor, say a step counter; it would read any pickle


def exchanged(value: Any, count: int, group: Any) -> list[Any]:
    """Return the values of all ranks in their order, tensors on the CPU. Raises pickle.UnpicklingError where
    a rank sends something else than tensors, plain values and containers of them."""
    written = io.BytesIO()
    torch.save(value, written)
    own = torch.frombuffer(written.getbuffer(), dtype=torch.uint8)
    lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(count)]
    dist.all_gather(lengths, torch.tensor([len(own)]), group=group)
    longest = max(int(length) for length in lengths)
    padded = torch.cat([own, torch.zeros(longest - len(own), dtype=torch.uint8)])
    gathered = [torch.empty(longest, dtype=torch.uint8) for _ in range(count)]
    dist.all_gather(gathered, padded, group=group)
    return [_read(packed, int(length)) for packed, length in zip(gathered, lengths, strict=True)]


def _read(packed: Tensor, length: int) -> Any:
    return torch.load(io.BytesIO(packed[:length].numpy().tobytes()), weights_only=True, map_location="cpu")


def strangers(secret: str, rank: int, count: int, group: Any = None) -> list[int]:
    """Return the ranks that do not know the attempt's secret. All ranks ask at once."""
    own = torch.frombuffer(bytearray(_proof(secret, rank)), dtype=torch.uint8)
    proofs = [torch.empty_like(own) for _ in range(count)]
    dist.all_gather(proofs, own, group=group)
    return [
        number
        for number, proof in enumerate(proofs)
        if not hmac.compare_digest(proof.numpy().tobytes(), _proof(secret, number))
    ]


def _proof(secret: str, rank: int) -> bytes:
    return hmac.digest(secret.encode(), f"rank {rank}".encode(), hashlib.sha256)


def refuse_objects() -> None:
    """Make torch.distributed read the objects that libraries exchange without running code, from now on."""
    assert issubclass(distributed_c10d._unpickler, pickle.Unpickler)
    distributed_c10d._unpickler = _PlainUnpickler


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == _STORAGE:
            return _storage
        if (module, name) in _HARMLESS or (module == "torch" and _is_dtype(name)):
            return super().find_class(module, name)
        raise pickle.UnpicklingError("a rank sent an object that is neither a tensor nor a plain value")


def _storage(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), weights_only=True)


def _is_dtype(name: str) -> bool:
    return isinstance(getattr(torch, name, None), torch.dtype)
