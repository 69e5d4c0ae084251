"""Convert pickled weights of a hub repository to safetensors: once, while staging, and only on request.

    python -m workers.models.conversion pytorch_model.bin model.safetensors

A pickle can run code when it is read. torch reads this one with `weights_only=True`, which builds tensors and
plain containers and refuses everything else, and does so in a process of its own, which has no secrets in its
environment and bounded memory, time and output. Trials read the safetensors alone.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from orchestrator.contracts.backbone import BackboneSpec, HubWeights
from orchestrator.contracts.child_processes import python_module, safe_environment
from orchestrator.contracts.credentials import without_credentials
from orchestrator.contracts.exit_codes import NO_ROOM_LEFT
from orchestrator.contracts.files import draft
from orchestrator.contracts.no_room import FULL, no_room
from orchestrator.errors import WeightsError
from workers.models.content import check_file

_LIBRARIES_BYTES = 4 * 2**30  # used by torch itself
_HEADER_BYTES = 2**24
_MOST_SECONDS = 3600  # of CPU time
PICKLE, CONVERTED = "pytorch_model.bin", "model.safetensors"


def convert(
    spec: BackboneSpec, weights: HubWeights, snapshot: Path, cache_dir: Path, locked: Mapping[str, str]
) -> None:
    """Write model.safetensors into the snapshot, beside the pytorch_model.bin that it fetches for it.

    The same pickle gives the same bytes, so `locked` (sha256 by file) holds for both on every machine. Raises
    WeightsError.
    """
    source = f"backbone {spec.name}: {weights.hub} at commit {snapshot.name}"
    try:
        pickle = Path(
            hf_hub_download(weights.hub, PICKLE, revision=snapshot.name, cache_dir=cache_dir / "hub")
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as failed:
        if no_room(failed) is not None:
            raise
        raise WeightsError(
            f"{source}: {PICKLE} cannot be fetched ({type(failed).__name__})\n"
            "    -> check the network, and on its page that it has this file; or pin a revision that has "
            "model.safetensors"
        ) from failed
    if PICKLE in locked:
        check_file(spec, snapshot / PICKLE, locked[PICKLE])
    with draft(snapshot / CONVERTED) as temporary:
        command = python_module(__name__, str(pickle), str(temporary))
        bare = without_credentials(safe_environment(os.environ))
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=bare)
        if done.returncode == NO_ROOM_LEFT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temporary))
        if done.returncode != 0:
            raise WeightsError(
                f"{source}: {PICKLE} holds something else than tensors by name, which is not read\n"
                "    -> use other weights, or a revision that has model.safetensors; load this one elsewhere "
                "only if you trust who made it"
            )
        shutil.copymode(pickle, temporary)  # safetensors makes it readable only by its owner
        temporary.rename(snapshot / CONVERTED)


def _bound(size: int) -> None:
    """Let the kernel end this process if it takes more than weights of so many bytes can need."""
    for limit, most in (
        (resource.RLIMIT_DATA, 4 * size + _LIBRARIES_BYTES),  # to read, copy and write
        (resource.RLIMIT_FSIZE, 2 * size + _HEADER_BYTES),
        (resource.RLIMIT_CPU, _MOST_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (most, hard) if hard == resource.RLIM_INFINITY else (min(most, hard), hard))


def main(pickle: str, converted: str) -> None:
    """Convert the file. Every exception ends the process with a code other than 0."""
    _bound(Path(pickle).stat().st_size)
    import torch
    from safetensors.torch import save_file

    loaded = torch.load(pickle, map_location="cpu", weights_only=True)
    # Tensors that share memory (tied embeddings) are copied: safetensors does not support sharing.
    tensors = {str(name): tensor.detach().clone().contiguous() for name, tensor in loaded.items()}
    try:
        save_file(tensors, converted, metadata={"format": "pt"})
    except Exception as error:  # beyond the limit of its size it holds more than tensors
        if no_room(error) in FULL:
            sys.exit(NO_ROOM_LEFT)
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
