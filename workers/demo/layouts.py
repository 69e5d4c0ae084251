"""Write invented notes for the readers: CoNLL, PubTator, i2b2, and tables with the outcome as label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.contracts.readers import (
    ArrowReader,
    ConllReader,
    I2b2ConceptReader,
    I2b2XmlReader,
    MimicNotesReader,
    PubtatorReader,
    TableReader,
)
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import ConfigError, Problem
from workers.demo.i2b2 import File, Naming, Numbered, concept_files, xml_files
from workers.demo.lexicon import ENTITIES, EntityType
from workers.demo.notes import Note
from workers.demo.records import arrow_files, mimic_files, table_file


def generated_files(
    task: TaskSpec, split: Split, names: Sequence[str], numbered: Numbered, naming: Naming
) -> Iterator[File]:
    """Yield the files of a split. Raises ConfigError if kind and reader do not suit the notes."""
    match task.kind, task.reader:
        case TaskKind.NER | TaskKind.RELATION, I2b2ConceptReader():
            yield from concept_files(task, names, numbered, split is not Split.TRAIN and len(names) == 2)
        case TaskKind.NER, I2b2XmlReader() as xml:
            yield from xml_files(xml, names, numbered, naming.label)
        case _, MimicNotesReader() as mimic:
            yield from mimic_files(task, mimic, names, numbered)
        case _, ArrowReader() as arrow:
            yield from arrow_files(task, arrow, names, numbered, naming)
        case _:
            for index, name in enumerate(names):
                yield name, "", _render(task, numbered[index :: len(names)], naming)


def _render(task: TaskSpec, numbered: Numbered, naming: Naming) -> bytes:
    """Return the content of one file, in the formats in which each file is independent."""
    match task.kind, task.reader:
        case TaskKind.NER, ConllReader() as conll:
            return _conll(conll, [note for _, note in numbered], naming).encode()
        case TaskKind.NER | TaskKind.RELATION, PubtatorReader() as pubtator:
            return _pubtator(pubtator, numbered).encode()
        case (
            TaskKind.CLASSIFICATION | TaskKind.RELATION | TaskKind.MULTILABEL | TaskKind.REGRESSION,
            TableReader() as table,
        ):
            return table_file(task, table, numbered)
        case kind, reader:
            raise ConfigError(
                [
                    Problem(
                        f"task {task.name}",
                        "reader",
                        f"invented notes have no {reader.format} layout for a {kind} task with these keys",
                        "read ner from conll, pubtator, i2b2-2010, i2b2-xml, arrow or parquet, relation from "
                        "pubtator, i2b2-2010, arrow, parquet, csv or jsonl, classification, multilabel and "
                        "regression from the last four or mimic-notes",
                    )
                ]
            )


def _conll(reader: ConllReader, notes: Sequence[Note], naming: Naming) -> str:
    """Return one block per sentence. Columns that the reader does not read hold an underscore."""
    columns_used = reader.token_column, reader.tag_column
    width = max(2, *(column + 1 if column >= 0 else -column for column in columns_used))
    width += columns_used[0] % width == columns_used[1] % width
    separator = "\t" if reader.separator == "tab" else " "
    blocks = []
    for sentence in (sentence for note in notes for sentence in note.sentences):
        rows = []
        for piece in sentence.pieces:
            label = naming.label(piece.entity) if piece.entity else None
            for number, word in enumerate(piece.text.split()):
                columns = ["_"] * width
                columns[columns_used[0]] = word
                columns[columns_used[1]] = f"{'I' if number else 'B'}-{label}" if label else "O"
                rows.append(separator.join(columns))
        blocks.append("\n".join(rows))
    return "\n\n".join(blocks) + "\n"


def _pubtator(reader: PubtatorReader, numbered: Numbered) -> str:
    return "\n".join(_pubtator_document(reader, number, note) for number, note in numbered)


def _types(reader: PubtatorReader) -> dict[str, str]:
    """Return the reader's type for each invented one: the type of the same name, else an unmatched one."""
    spellings = {kind.casefold(): kind for kind in reader.entity_types}
    unmatched = [kind for name, kind in spellings.items() if name not in ENTITIES]
    nameless = [kind for kind in ("treatment", "problem", "test") if kind not in spellings]
    return spellings | dict(zip(nameless, unmatched, strict=False))


def _pubtator_document(reader: PubtatorReader, number: int, note: Note) -> str:
    spelling = _types(reader)
    title = f"Invented admission note {number}."
    text, lines = title, []
    for sentence in note.sentences:
        text += " "
        for index, piece in enumerate(sentence.pieces):
            text += "" if piece.text in ".,:" or not index else " "
            if piece.entity is not None:
                kind: EntityType = piece.entity.type
                fields = (len(text), len(text) + len(piece.text), piece.text, spelling.get(kind, kind))
                lines.append("\t".join(map(str, (number, *fields, piece.entity.identifier))))
            text += piece.text
    for treatment, problem in (pair for sentence in note.sentences for pair in sentence.related):
        if reader.relation is not None:
            lines.append(f"{number}\t{reader.relation}\t{treatment.identifier}\t{problem.identifier}")
    head = [f"{number}|t|{title}", f"{number}|a|{text[len(title) + 1 :]}"]
    return "\n".join([*head, *lines]) + "\n"
