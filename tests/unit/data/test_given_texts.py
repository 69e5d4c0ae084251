"""Tables of texts for an exported model, which comes without the reader of its task."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.errors import DataError
from workers.exported.texts import read_given


def given(path: Path, content: str, text: str = "letter (all)") -> list[str]:
    path.write_text(content, encoding="utf-8")
    request = SimpleNamespace(input=str(path), format="csv", text=text, second_text=None)
    return [each.text for each in read_given(request)]


@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
@pytest.mark.parametrize("beginning", ["", "\ufeff"])
def test_whatever_separates_the_columns_the_texts_are_read(
    tmp_path: Path, separator: str, beginning: str
) -> None:
    lines = [("no.", "letter (all)"), ("1", '"Größe 172, \nGewicht 47,5; x"'), ("2", "stable")]
    content = beginning + "".join(f"{separator.join(line)}\n" for line in lines)
    assert given(tmp_path / "new.csv", content) == ["Größe 172, \nGewicht 47,5; x", "stable"]


def test_a_table_of_other_columns_is_refused_as_before(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 column and 1 semicolon"):
        given(tmp_path / "new.csv", "no.;note\n1;stable\n")
    with pytest.raises(DataError, match="not among its 2 columns"):
        given(tmp_path / "new.csv", "no.,note\n1,stable\n")
