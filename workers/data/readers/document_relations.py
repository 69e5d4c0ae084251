"""Match the relations that a document states between ids with the pairs of mentions that they label.

Ids are compared without surrounding white space and without case: `d1` equals `D1`, unless the mentions of a
document use both. A prefix counts: `MESH:1` may be another entity than `1`, so the two do not match.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from orchestrator.errors import DataError
from workers.data.readers.pubtator import Abstract, Ids, Mention, Relation

_Ends = tuple[frozenset[str], frozenset[str]]  # the ids of the two ends of a relation, folded


class Relations:
    """Record which relations of a document held for a pair of mentions."""

    def __init__(self, ends: Sequence[_Ends]) -> None:
        self._ends = ends
        self._of_pair: dict[frozenset[str], set[int]] = defaultdict(set)
        self._used: set[int] = set()
        for number, (left, right) in enumerate(ends):
            for a in left:
                for b in right:
                    self._of_pair[frozenset((a, b))].add(number)

    @property
    def held(self) -> int:
        return len(self._used)

    def hold(self, first: Mention, second: Mention) -> bool:
        """Return whether a relation relates an id of the one mention to an id of the other."""
        numbers: set[int] = set()
        for a in _folded(first.ids):
            for b in _folded(second.ids):
                numbers |= self._of_pair.get(frozenset((a, b)), set())
        self._used |= numbers
        return bool(numbers)

    def count_others(self, mentions: Sequence[Mention], types: tuple[str, str], aside: Counter[str]) -> None:
        """Count the relations that held for no pair, by reason."""
        ids = {
            kind: frozenset[str]().union(*(_folded(m.ids) for m in mentions if m.type == kind))
            for kind in types
        }
        for number, (left, right) in enumerate(self._ends):
            if number in self._used:
                continue
            first, second = (ids[kind] for kind in types)
            matches = (left & first and right & second) or (left & second and right & first)
            aside["relations in different sentences" if matches else "relations between other types"] += 1


def read_relations(document: Abstract, name: str, file: str, aside: Counter[str]) -> Relations | DataError:
    """Return the relations of the type `name`, each once, or a DataError if an id matches no mention with
    certainty."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for mention in document.mentions:
        for spelling in mention.ids:
            spellings[spelling.casefold()].add(spelling)
    relations: dict[frozenset[frozenset[str]], _Ends] = {}
    for relation in document.relations:
        if relation.name != name:
            aside["relations of another type"] += 1
            continue
        left, right = (_matched(ids, spellings) for ids in relation.ends)
        if left is None or right is None:
            return DataError(file, relation.line, *_unmatched(relation, spellings))
        if any(len(spellings[key]) > 1 for key in left | right):
            problem = "an id of the relation that the mentions write in upper and in lower case"
            return DataError(
                file, relation.line, problem, "write an id in one case; rename one of two entities"
            )
        if frozenset((left, right)) in relations:
            aside["repeated relations"] += 1
        relations.setdefault(frozenset((left, right)), (left, right))
    return Relations(list(relations.values()))


def _matched(ids: Ids, spellings: dict[str, set[str]]) -> frozenset[str] | None:
    """Return the ids of one end that mentions have; None if neither the field nor each id in it matches."""
    folded = [spelling.casefold() for spelling in ids]
    matched = frozenset(key for key in folded if key in spellings)
    return matched if matched and (folded[0] in matched or matched.issuperset(folded[1:])) else None


def _unmatched(relation: Relation, spellings: dict[str, set[str]]) -> tuple[str, str]:
    bare = {key.rpartition(":")[2] for key in spellings}
    unknown = [key for ids in relation.ends for key in _folded(ids) if key not in spellings]
    if unknown and all(key.rpartition(":")[2] in bare for key in unknown):
        problem = "an id of the relation has a prefix that the ids of the mentions lack, or lacks theirs"
        return problem, "write the ids of relations as those of mentions, with their prefix or without"
    problem = "a relation whose ids no mention has"
    return (
        problem,
        "write its ids as the mentions have them, or remove the line if its entities are not mentioned",
    )


def _folded(ids: Iterable[str]) -> Iterator[str]:
    return (spelling.casefold() for spelling in ids)
