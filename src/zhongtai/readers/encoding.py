"""Which encoding a text file has, and its lines as UTF-8 with every repair remembered."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa

from zhongtai.readers.bytestream import Lines, StreamError, read_blocks, read_lines

SAMPLE_BYTES = 1 << 20
# GBK read as UTF-8 is valid by chance in one character of seven, in short texts in far more, but
# those are characters of two bytes: Chinese takes three in UTF-8, which chance rarely makes.
_BAD_BYTES_PER_CHARACTER = 3
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# NUL as JSON writes it, also within JSON that stands in another text. PostgreSQL keeps none, so
# that values which differ in it would be two in one store and one in the other.
_ESCAPED_NUL = re.compile(rb"\\u0000")
# A character of no width takes its place: cleaning drops it, and no line becomes blank by it, which
# who only counts the lines would not see.
_NO_WIDTH = r"\u200b"
_ESCAPED_BYTE = re.compile("[\ud800-\udfff]")
# The first byte of a character of three or four bytes is at least this.
_FIRST_OF_LONG = 0xE0
_LEGACY = {"gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030", "utf-8-sig": "utf-8"}


@dataclass(frozen=True)
class Encoding:
    """A codec, the byte order mark to skip, and where a stray line of another codec may occur."""

    codec: str
    bom: bytes = b""
    others: tuple[str, ...] = ()

    @property
    def is_wide(self) -> bool:
        """Whether characters take two bytes, so that line ends cannot be found in the bytes."""
        return self.codec.startswith("utf-16")


@dataclass
class TextLines:
    """Whole lines as valid UTF-8 without NUL, escaped ones included.

    `repaired` maps the offset of each line that was changed to its original text, in which
    undecodable bytes are written as hexadecimal escapes.
    """

    data: bytes
    repaired: dict[int, str] = field(default_factory=dict)
    is_overlong: bool = False


def decide_encoding(path: Path, candidates: tuple[str, ...]) -> Encoding:
    """The encoding of a file: its byte order mark, else the candidate that reads it best.

    `candidates` are the contract's; a stream error while sampling is left to the reader.
    """
    codecs_ = tuple(dict.fromkeys(_LEGACY.get(c.lower(), c.lower()) for c in candidates))
    sample = _sample(path, has_choice=len(codecs_) > 1)
    for bom, codec in _BOMS:
        if sample.startswith(bom):
            others = tuple(c for c in codecs_ if c != codec)
            if codec == "utf-8" and others and not _is_mostly_utf8(sample[len(bom) :]):
                # a program put its mark before the text of another
                return Encoding(others[0], bom)
            return Encoding(codec, bom, others)
    wide = _wide_codec(sample)
    if wide:
        return Encoding(wide)
    if "utf-8" in codecs_ and _is_mostly_utf8(sample):
        return Encoding("utf-8", others=tuple(c for c in codecs_ if c != "utf-8"))
    legacy = [c for c in codecs_ if c != "utf-8"] or list(codecs_)
    if len(legacy) > 1:
        legacy.sort(key=lambda c: sample.decode(c, "replace").count("\ufffd"))
    return Encoding(legacy[0])


def _sample(path: Path, *, has_choice: bool) -> bytes:
    """The beginning of the file, continued to where it stops being plain ASCII."""
    blocks = read_blocks(path, SAMPLE_BYTES)
    sample = b""
    try:
        for block in blocks:
            sample = sample or block
            if not has_choice or not block.isascii():
                return sample if sample is block else sample[:64] + b"\n" + block
    except StreamError:
        return sample
    return sample


def _wide_codec(sample: bytes) -> str:
    """UTF-16 without a mark: NUL bytes stand at odd (little endian) or even offsets."""
    head = sample[:65536]
    low, high = head[0::2].count(0), head[1::2].count(0)
    if max(low, high) * 10 < len(head) or min(low, high) * 10 > max(low, high):
        return ""
    return "utf-16-le" if high > low else "utf-16-be"


def _is_mostly_utf8(sample: bytes) -> bool:
    """Whether the text is UTF-8, here and there damaged perhaps."""
    sound = sample.decode("utf-8", "ignore").encode()
    bad = len(sample) - len(sound)
    long_characters = np.count_nonzero(np.frombuffer(sound, np.uint8) >= _FIRST_OF_LONG)
    return bool(bad <= _BAD_BYTES_PER_CHARACTER * long_characters)


def read_text(path: Path, encoding: Encoding, *, returns: bool = False) -> Iterator[TextLines]:
    """The lines of a file as UTF-8, in blocks; with `returns`, a lone CR may end a line.

    Raises StreamError after the last readable line of a truncated or damaged file.
    """
    blocks = _without_mark(read_blocks(path), encoding.bom)
    if encoding.is_wide:
        blocks = _narrow(blocks, encoding.codec)
    for lines in read_lines(blocks, returns=returns):
        if lines.is_overlong:
            text = _decode(lines.data, encoding).encode("utf-8", "replace")
            yield TextLines(text.replace(b"\0", b""), is_overlong=True)
        else:
            yield _as_utf8(lines, encoding)


def _without_mark(blocks: Iterator[bytes], bom: bytes) -> Iterator[bytes]:
    first = next(blocks, b"")
    return chain([first[len(bom) :]], blocks)


def _narrow(blocks: Iterator[bytes], codec: str) -> Iterator[bytes]:
    """UTF-16 to UTF-8; what is wrong stays wrong, to be found and marked later."""
    decoder = codecs.getincrementaldecoder(codec)("surrogatepass")
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    state = decoder.getstate()[0]
    if state:
        yield b"\xff" * len(state)


def _decode(data: bytes, encoding: Encoding) -> str:
    codec = "utf-8" if encoding.is_wide else encoding.codec
    return data.decode(codec, "surrogateescape")


def _as_utf8(lines: Lines, encoding: Encoding) -> TextLines:
    """Transcode a block; only a block with something wrong in it is looked at line by line."""
    data = lines.data
    if encoding.codec != "utf-8" and not encoding.is_wide:
        try:
            data = data.decode(encoding.codec).encode()
        except UnicodeDecodeError:
            return _mend(lines.data, encoding)
    elif not is_utf8(data):
        return _mend(data, encoding)
    return _mend(data, Encoding("utf-8")) if _has_nul(data) else TextLines(data)


def _has_nul(data: bytes) -> bool:
    return b"\0" in data or _ESCAPED_NUL.search(data) is not None


def is_utf8(data: bytes) -> bool:
    """Whether bytes are valid UTF-8, without building the text."""
    if data.isascii():
        return True
    offsets = len(data).to_bytes(4, "little")
    whole = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0" + offsets), pa.py_buffer(data))
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _mend(data: bytes, encoding: Encoding) -> TextLines:
    """Replace what cannot be decoded and drop NUL, line by line where there is any."""
    pieces: list[bytes] = []
    repaired: dict[int, str] = {}
    offset = 0
    for kind, piece in _by_damage(data, encoding):
        mended = piece
        if kind:
            mended, original = _mend_line(piece, encoding)
            repaired[offset] = original
        elif encoding.codec not in ("utf-8", "utf-16-le", "utf-16-be"):
            mended = piece.decode(encoding.codec).encode()
        pieces.append(mended)
        offset += len(mended)
    return TextLines(b"".join(pieces), repaired)


def _by_damage(data: bytes, encoding: Encoding) -> Iterator[tuple[bool, bytes]]:
    """Runs of whole lines: sound ones together, each damaged line alone (True)."""
    sound: list[bytes] = []
    codec = "utf-8" if encoding.is_wide else encoding.codec
    for line in data.splitlines(keepends=True):
        if not _has_nul(line) and _decodes(line, codec):
            sound.append(line)
            continue
        if sound:
            yield False, b"".join(sound)
            sound = []
        yield True, line
    if sound:
        yield False, b"".join(sound)


def _decodes(line: bytes, codec: str) -> bool:
    try:
        line.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _mend_line(line: bytes, encoding: Encoding) -> tuple[bytes, str]:
    """The line as UTF-8, and its original text with escapes for undecodable bytes."""
    text = _decode(line, encoding)
    original = _ESCAPED_BYTE.sub(lambda m: f"\\x{ord(m[0]) & 0xFF:02x}", text)
    is_foreign = all(c < "\x80" or "\udc80" <= c <= "\udcff" for c in text)
    for codec in encoding.others if is_foreign else ():
        if codec != "utf-8" and _decodes(line, codec):
            text = line.decode(codec)
            break
    text = _ESCAPED_BYTE.sub("\ufffd", text).replace("\0", "")
    text = text.replace(r"\u0000", _NO_WIDTH)
    return text.encode(), original.replace("\0", "\\x00").rstrip("\r\n")
