"""From hashed requirements on standard input, torch and what only its CUDA build needs left out."""

import re
import sys
from pathlib import Path

pinned = {
    re.sub(r"[-_.]+", "-", line.split("==")[0]).lower()
    for line in Path("constraints.txt").read_text().splitlines()
}
for entry in re.split(r"\n(?=\S)", sys.stdin.read().rstrip("\n")):
    name = re.sub(r"[-_.]+", "-", entry.split("==")[0]).lower()
    if name in pinned and name != "torch":
        print(entry)
