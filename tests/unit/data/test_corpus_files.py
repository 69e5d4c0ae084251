"""Archives of a corpus: what is no archive, or an attack, is an error before it costs memory or disk."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import DataError
from workers.data.faults import Faults
from workers.data.files import read_text
from workers.data.readers.corpus_files import ARCHIVE_BYTES, MEMBER_BYTES, file_name, members
from workers.data.readers.delimited import stream_rows

MARKER = "Zzpatientword"


def header(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size, found.type, found.linkname = size, kind, link
    return found


def archive(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as content:
        for entry, data in entries:
            content.addfile(entry, io.BytesIO(data))
    return path


def test_members_are_regular_files_of_the_suffix_in_order(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.tar.gz",
        (header("./b/2.XML", 3), b"two"),
        (header("b/link.xml", kind=tarfile.SYMTYPE, link="/etc/hostname"), b""),
        (header("b/hard.xml", kind=tarfile.LNKTYPE, link="b/2.XML"), b""),
        (header("b/pipe.xml", kind=tarfile.FIFOTYPE), b""),
        (header("b/._2.xml", 1), b"x"),
        (header(".git/3.xml", 1), b"x"),
        (header("a/1.xml", 3), b"old"),
        (header("../outside.xml", 3), b"out"),
        (header("a/1.xml", 3), b"one"),
        (header("a/1.txt", 1), b"x"),
    )
    before = sorted(tmp_path.rglob("*"))
    found = members(path, (".xml",))
    assert [(str(m.path), m.content) for m in found] == [("a/1.xml", b"one"), ("b/2.XML", b"two")]
    assert found[1].place == f"{path}: .xml file 2"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("packed", [True, False])
def test_only_a_question_of_its_own_names_a_file(tmp_path: Path, packed: bool) -> None:
    names = ("b/Zzpatientword.XML", "a/1.xml", "a/0.txt")
    if packed:
        path = archive(tmp_path / "a.tar.gz", *((header(name, 1), b"x") for name in names))
    else:
        path = tmp_path / "corpus"
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(b"x")
    places = [member.place for member in members(path, (".xml", ".txt"))]
    assert places == [f"{path}: .txt file 1", f"{path}: .xml file 1", f"{path}: .xml file 2"]
    assert [file_name(place) for place in places] == ["a/0.txt", "a/1.xml", "b/Zzpatientword.XML"]
    assert file_name(f"{places[2]}, annotation 3") == "b/Zzpatientword.XML"
    assert [file_name(place) for place in (str(path), f"{path}: .xml file 3", "task mine")] == [None] * 3


def test_directories_may_hold_links_but_no_circles(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    for folder in ("b", ".elsewhere"):
        (corpus / folder).mkdir(parents=True)
    (corpus / ".elsewhere" / "2.xml").write_bytes(b"two")
    (corpus / "b" / "1.xml").write_bytes(b"one")
    (corpus / "b" / "again").symlink_to(corpus)
    (corpus / "linked").symlink_to(corpus / ".elsewhere")
    (tmp_path / "named").symlink_to(corpus)
    os.mkfifo(corpus / "pipe.xml")
    for path in (corpus, tmp_path / "named"):
        assert [m.content for m in members(path, (".xml",))] == [b"one", b"two"]


@pytest.mark.parametrize("link", ["file", "directory"])
def test_a_link_out_of_the_corpus_is_refused(tmp_path: Path, link: str) -> None:
    corpus, elsewhere = tmp_path / "corpus", tmp_path / "elsewhere"
    corpus.mkdir()
    elsewhere.mkdir()
    (corpus / "1.xml").write_bytes(b"one")
    (elsewhere / f"{MARKER}.xml").write_bytes(b"two")
    (corpus / f"{MARKER}.xml").symlink_to(
        elsewhere / f"{MARKER}.xml" if link == "file" else elsewhere, link == "directory"
    )
    with pytest.raises(DataError, match="1 of its 2 files are reached by a link that leads out") as caught:
        members(corpus, (".xml",))
    assert MARKER not in str(caught.value)


def test_a_member_of_absurd_size_is_refused(tmp_path: Path) -> None:
    large = bytes(MEMBER_BYTES + 1)
    path = archive(tmp_path / "a.tar.gz", (header("large.xml", len(large)), large))
    with pytest.raises(DataError, match="member 1 is larger than 16 MiB"):
        members(path, (".xml",))
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "large.xml").write_bytes(large)
    with pytest.raises(DataError, match="larger than 16 MiB"):
        members(tmp_path / "corpus", (".xml",))


def test_an_archive_that_unpacks_to_absurd_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    size = ARCHIVE_BYTES + 1
    with gzip.open(path, "wb", compresslevel=1) as content:
        content.write(header("large.bin", size).tobuf())
        for _ in range(0, size, 2**20):
            content.write(bytes(2**20))
    with pytest.raises(DataError, match="more than 256 MiB"):
        members(path, (".xml",))


@pytest.mark.parametrize(
    "line", [bytes(2**20), (b"0" * 1023 + b"\n") * 2**10], ids=["one line", "many lines"]
)
def test_a_packed_file_that_unpacks_to_absurd_size_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "notes.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as content:
        content.write(b"text\n")
        for _ in range(68):
            content.write(line)
    with pytest.raises(DataError, match="more than 100 times its size"):
        read_text(path)
    with pytest.raises(DataError, match="more than 100 times its size"):
        for _ in stream_rows(path, Faults("skip"), lambda line, names: names):
            pass


def test_a_damaged_archive_is_refused_and_never_read_in_part(tmp_path: Path) -> None:
    data = os.urandom(5000)
    path = archive(tmp_path / "a.tar.gz", (header("1.xml", 5000), data), (header("2.xml", 5000), data))
    whole = path.read_bytes()
    for damaged in (
        whole[: len(whole) // 2],
        whole[:-4],
        whole[:-8] + b"\0\0\0\0" + whole[-4:],
        whole[:3000] + b"\xff" * 9 + whole[3009:],
        gzip.compress(b"no tar", mtime=0),
        b"",
        MARKER.encode(),
    ):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"it is not a \.tar\.gz archive, is damaged") as caught:
            members(path, (".xml",))
        assert caught.value.__context__ is None
        assert MARKER not in str(caught.value)


@given(st.binary(max_size=1200), st.integers(0, 1400), st.booleans())
def test_any_bytes_in_an_archive_give_members_or_a_fault(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, zipped: bool
) -> None:
    root = tmp_path_factory.mktemp("archive")
    plain = bytearray(
        gzip.decompress(archive(root / "a.tar.gz", (header("1.xml", 9), b"<a></a>\n\n")).read_bytes())
    )
    plain[at : at + len(noise)] = noise
    path = root / "b.tar.gz"
    path.write_bytes(gzip.compress(bytes(plain), 1) if zipped else noise)
    try:
        found = [member.place for member in members(path, (".xml",))]
    except DataError as error:
        found = [str(error)]
    assert all(place.startswith(str(path)) and place.replace("\n", "").isprintable() for place in found)


def test_a_chain_of_headers_without_an_end_is_no_archive(tmp_path: Path) -> None:
    """tarfile reads the header behind a long name within the reading of the long name."""
    name = header("long", 1, tarfile.GNUTYPE_LONGNAME).tobuf() + b"x".ljust(512, b"\0")
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(name * 2000, 1))
    with pytest.raises(DataError, match=r"it is not a \.tar\.gz archive, is damaged"):
        members(path, (".xml",))


def test_a_file_whose_name_is_not_text_is_read(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9.xml")
    file.write_bytes(b"x")
    [found] = members(tmp_path, (".xml",))
    assert found.place == f"{tmp_path}: .xml file 1"
    file.write_bytes(bytes(MEMBER_BYTES + 1))
    with pytest.raises(DataError) as caught:
        members(tmp_path, (".xml",))
    assert str(caught.value).encode()
