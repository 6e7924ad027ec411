"""Files as text, whatever they are: packed or not, in any of the encodings that sources use."""

import codecs
import gzip
import re
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.compute as pc

_BLOCK = 4 << 20
# The end of a block is read again with the next: a value may lie across.
_OVERLAP = 256
_WORD = re.compile(r"[0-9A-Za-z_.@+-]{6,}")
_MOBILE = re.compile(r"(?:0|86|0086|086)?(1[3-9][0-9]{9})")
_WIDE = re.compile("[\uff01-\uff5e]")
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_ENCODINGS = ("utf-8", "gb18030", "utf-16-le", "utf-16-be")
# Of such texts the words are sooner listed than a pattern is made.
_SMALL = 32 << 10
# What a packed file may grow to: beyond that it is a bomb, and no source made it.
_MOST_UNPACKED = 2 << 30


def read_texts(file: Path) -> Iterator[str]:
    """The content of a file as texts of bounded size, in each encoding that it may have.

    What is UTF-8 throughout is nothing else. Bytes that are none of an encoding are left out; of a
    broken archive what could be unpacked.
    """
    encodings = ("utf-8",) if _is_utf8(file) else _ENCODINGS
    for encoding in encodings:
        for opened in _unpack(file):
            yield from _decode(opened, encoding)


def _is_utf8(file: Path) -> bool:
    """Whether all of it, unpacked, is UTF-8 without the zero bytes of UTF-16."""
    for opened in _unpack(file):
        decoder = codecs.getincrementaldecoder("utf-8")()
        for block in _read(opened):
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return False
            if b"\0" in block:
                return False
    return True


def holds_any(file: Path, values: Collection[str]) -> bool:
    """Whether one of the values is a word of a file, in any spelling.

    Texts are large and hardly any holds one: words are only listed of those that may.
    """
    if not values:
        return False
    may_hold = _matcher(values)
    return any(
        may_hold(text) and not list_words_of(text).isdisjoint(values) for text in read_texts(file)
    )


def _matcher(values: Collection[str]) -> Callable[[str], bool]:
    """Whether a text holds the letters and digits of one of the values, wherever."""
    pattern = "|".join(sorted(re.escape(_strip(value)) for value in values))

    def may_hold(text: str) -> bool:
        if len(text) < _SMALL:
            return True
        stripped = pa.array([_strip(text)], pa.large_string())
        return bool(pc.match_substring_regex(stripped, pattern, ignore_case=True)[0].as_py())

    try:
        may_hold(" " * _SMALL)
    except pa.ArrowInvalid:
        # more values than one pattern may have
        return lambda _: True
    return may_hold


def _strip(text: str) -> str:
    """Without what a spelling of a value may hold besides it: width, signs between digits."""
    if not text.isascii() and _WIDE.search(text):
        text = text.translate(_NARROW)
    return text.replace("-", "").replace("+", "").replace(".", "")


def list_words(file: Path) -> set[str]:
    """All in a file that could be a value, in the spellings in which values are compared."""
    words: set[str] = set()
    for text in read_texts(file):
        words |= list_words_of(text)
    return words


def list_words_of(text: str) -> set[str]:
    """The same of one text."""
    words = set(_WORD.findall(text if text.isascii() else text.translate(_NARROW)))
    spelled = {digits for word in words if (digits := _spell_mobile(word))}
    return words | spelled | {word.lower() for word in words} | {word.upper() for word in words}


def _spell_mobile(word: str) -> str | None:
    found = _MOBILE.fullmatch(re.sub(r"\.0*$|[-+.]", "", word))
    return found[1] if found else None


def _unpack(file: Path) -> Iterator[IO[bytes]]:
    with file.open("rb") as opened:
        start = opened.read(4)
        opened.seek(0)
        if start[:2] == b"\x1f\x8b":
            with gzip.open(opened) as unpacked:
                yield cast("IO[bytes]", unpacked)
        elif start == b"PK\x03\x04":
            yield from _members(opened)
        else:
            yield opened


def _members(opened: IO[bytes]) -> Iterator[IO[bytes]]:
    try:
        archive = zipfile.ZipFile(opened)
    except zipfile.BadZipFile:
        opened.seek(0)
        yield opened
        return
    for member in archive.infolist():
        with archive.open(member) as content:
            yield content


def _decode(opened: IO[bytes], encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("ignore")
    kept = ""
    for block in _read(opened):
        text = kept + decoder.decode(block)
        yield text
        kept = text[-_OVERLAP:]


def _read(opened: IO[bytes]) -> Iterator[bytes]:
    size = 0
    while size < _MOST_UNPACKED:
        try:
            # one read at a time: of a stream that breaks off, what came before it is kept
            block = opened.read1(_BLOCK)  # type: ignore[attr-defined]
        except (EOFError, OSError, zlib.error, zipfile.BadZipFile):
            return
        if not block:
            return
        size += len(block)
        yield block
