"""The readers, which turn data files into examples. Their problems name a file of the task and a line, never
text or the name of a file inside a corpus.

They use only the standard library, except for folders of `datasets`, which pyarrow reads.
"""

from workers.data.corpus import Corpus, read_corpus
from workers.data.examples import Example, Text, Tokens
from workers.data.faults import Faults
from workers.data.labels import class_counts, label_set
from workers.data.near import check_parted
from workers.data.readers.corpus_files import file_name
from workers.data.sampling import cap_rows
from workers.data.scorable import check_scorable
from workers.data.splits import read_split, splits_of
from workers.data.summary import inspect_corpus, inspect_task

__all__ = [
    "Corpus",
    "Example",
    "Faults",
    "Text",
    "Tokens",
    "cap_rows",
    "check_parted",
    "check_scorable",
    "class_counts",
    "file_name",
    "inspect_corpus",
    "inspect_task",
    "label_set",
    "read_corpus",
    "read_split",
    "splits_of",
]
