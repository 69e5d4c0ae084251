"""Readers: data files to examples. Standard library only; a fault names file and line, never the text."""

from workers.data.examples import Example, Text, Tokens
from workers.data.sampling import cap_rows
from workers.data.splits import label_set, read_split
from workers.data.summary import inspect_task

__all__ = ["Example", "Text", "Tokens", "cap_rows", "inspect_task", "label_set", "read_split"]
