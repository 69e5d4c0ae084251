"""Copy what the gallery shows from a finished sweep: its records, its table and its figures.

    .venv/bin/frontier run gallery data_dir=PATH --launcher local
    .venv/bin/frontier report gallery --figures
    .venv/bin/python tests/bench/gallery.py sweeps/gallery docs/gallery

The records are those that a report is computed from. Weights are left out, and so is what only the machine
that ran the sweep needs. tests/docs/test_gallery.py computes the report from them again.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
from pathlib import Path

LEFT_OUT = ("model", "checkpoint", "report", "lease", "weights.json", "rendered.json", "published.json")


def main(sweep: Path, gallery: Path) -> None:
    gallery.mkdir(parents=True, exist_ok=True)
    report = sweep / "report"
    shutil.copyfile(report / "frontier.csv", gallery / "frontier.csv")
    for figure in sorted((report / "figures").glob("frontier-*-device_hours.svg")):
        shutil.copyfile(
            figure, gallery / f"{figure.stem.removeprefix('frontier-').removesuffix('-device_hours')}.svg"
        )
    with tarfile.open(gallery / "records.tar.xz", "w:xz", preset=9) as archive:
        for path in sorted(sweep.rglob("*")):
            name = path.relative_to(sweep)
            if path.is_file() and not set(name.parts) & set(LEFT_OUT):
                archive.add(path, f"{sweep.name}/{name}", filter=anonymous)
    for path in sorted(gallery.iterdir()):
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the entry without its owner and times: the same records give the same archive."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o644
    return entry


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
