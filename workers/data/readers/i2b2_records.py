"""Collect the text, concepts and relations of each i2b2/VA 2010 record by the stem of their file names.

Both layouts are read, as directories and as archives:

    concept_assertion_relation_training_data/{beth,partners}/{txt,concept,ast,rel}/ID.{txt,con,ast,rel}
    test_data/ID.txt with reference_standard_for_test_data/{concepts,ast,rel}/ID.{con,ast,rel}
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.contracts.sameness import id_key
from orchestrator.errors import DataError
from workers.data.faults import Faults
from workers.data.holdout import Selector
from workers.data.readers.corpus_files import Member, members

_SUFFIXES = (".txt", ".con", ".rel")
_UNANNOTATED = "unannotated"  # texts without gold, distributed with the others


@dataclass(frozen=True, repr=False)
class RecordFiles:
    name: str  # from the entry and the number in it; not the id, which may be a patient's
    text: Member
    gold: dict[str, Member]  # by suffix: ".con" and, if requested, ".rel"


@dataclass(frozen=True, repr=False)
class _Found:
    entry: int
    member: Member

    @property
    def stem(self) -> str:
        return self.member.path.stem

    @property
    def site(self) -> tuple[int, str]:
        """Return the directory above `txt`, `concept` and `rel`."""
        return self.entry, str(self.member.path.parent.parent)


def read_records(
    names: Sequence[str], root: Path, gold: Sequence[str], faults: Faults, selected: Selector
) -> Iterator[RecordFiles]:
    """Yield the selected records with their `gold` files (suffixes), in the order of the entries and their
    paths.

    A text without gold and gold without a text are problems. Raises DataError if an entry cannot be read, or
    if one kind of gold or all texts are missing.
    """
    by_suffix = _by_suffix(names, root)
    for suffix in (".txt", *gold):
        if not by_suffix[suffix]:
            entries = ", ".join(str(root / name) for name in names)
            fix = "name the directories or archives of the texts and of their gold, one after the other"
            raise DataError(entries, None, f"there is no {suffix} file in it", fix)
    texts = _texts(by_suffix)
    shared = _several([text.stem for text in texts])
    candidates: dict[tuple[str, str], list[_Found]] = defaultdict(list)
    for suffix in gold:
        for file in by_suffix[suffix]:
            candidates[suffix, file.stem].append(file)
    used: set[str] = set()
    for number, text in enumerate(texts, start=1):
        gold_files = {suffix: _mine(text, candidates[suffix, text.stem], shared) for suffix in gold}
        used.update(file.member.place for file in gold_files.values() if file is not None)
        if not selected(id_key(text.stem)):
            continue
        missing = [suffix for suffix, file in gold_files.items() if file is None]
        if missing:
            problem = f"a text without its one {missing[0]} file"
            faults.found(DataError(text.member.place, None, problem, "put it there, or take the text away"))
            continue
        gold_members = {suffix: file.member for suffix, file in gold_files.items() if file is not None}
        yield RecordFiles(f"{names[text.entry]}#{number}", text.member, gold_members)
    for file in (file for suffix in gold for file in by_suffix[suffix]):
        if file.member.place not in used and selected(id_key(file.stem)):
            fix = "put its text there, or take the file away"
            faults.found(
                DataError(
                    file.member.place,
                    None,
                    f"a {file.member.path.suffix.lower()} file without its text",
                    fix,
                )
            )


def _by_suffix(names: Sequence[str], root: Path) -> dict[str, list[_Found]]:
    files: dict[str, list[_Found]] = {suffix: [] for suffix in _SUFFIXES}
    for entry, name in enumerate(names):
        for member in members(root / name, _SUFFIXES):
            if _UNANNOTATED not in str(member.path).lower():
                files[member.path.suffix.lower()].append(_Found(entry, member))
    return files


def _texts(files: dict[str, list[_Found]]) -> list[_Found]:
    """Return the texts. If an entry has `txt` directories, a text elsewhere is a note about the corpus unless
    it has gold."""
    texts = files[".txt"]
    within = {text.entry for text in texts if text.member.path.parent.name == "txt"}
    annotated = {file.stem for file in files[".con"]}
    return [
        text
        for text in texts
        if text.entry not in within or text.member.path.parent.name == "txt" or text.stem in annotated
    ]


def _several(stems: Sequence[str]) -> set[str]:
    seen: set[str] = set()
    return {stem for stem in stems if stem in seen or seen.add(stem)}  # type: ignore[func-returns-value]


def _mine(text: _Found, candidates: Sequence[_Found], shared: set[str]) -> _Found | None:
    """Return the file with the stem of the text; if several texts or files have it, the one at the same
    site."""
    if len(candidates) > 1 or text.stem in shared:
        candidates = [file for file in candidates if file.site == text.site]
    return candidates[0] if len(candidates) == 1 else None
