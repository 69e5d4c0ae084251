"""The worked example of docs/how-to/own-data.md, and invented files for it."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "own-data.md"
OWN_FILES = {
    "letters/{}.tsv": "Take\tO\naspirin\tB-Drug\n75\tB-Dose\nmg\tI-Dose\n\nNone\tO\n\n{}\tO\n",
    "triage/{}.csv": (
        'letter,category\n"Chest pain,\nat rest",cardio\nCough,respiratory\nPain,cardio\nCold {},cardio\n'
    ),
    "causes/{}.csv": "sentence,relation\n@drug$ gave @complaint$,causes\n@drug$ and @complaint$ {},none\n",
}
ONE_FILE = "".join(
    f'{{"patient": {n // 2}, "note": "{note}, {n}", "due": "{due}"}}\n'
    for n, (note, due) in enumerate([("See again", "yes"), ("Done", "no")] * 30)
)


def snippets() -> dict[str, str]:
    """The YAML of the page, by the path that its first line names."""
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", text, flags=re.DOTALL))


def write_example(root: Path) -> Path:
    """The snippets as files, word for word, with data below `root/data`. Gives the sweep file."""
    for name, text in snippets().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for pattern, text in OWN_FILES.items():
        for split in ("train", "dev", "test"):
            file = root / "data" / pattern.format(split)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.format(split))
    (root / "data" / "follow-up").mkdir()
    (root / "data" / "follow-up" / "all.jsonl").write_text(ONE_FILE)
    return root / "my-sweep.yaml"
