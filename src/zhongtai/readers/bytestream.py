"""The bytes of a file, decompressed, in blocks; memory stays bounded whatever the file holds."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zhongtai.readers.ahead import produce_ahead

BLOCK_BYTES = 4 << 20
MAX_LINE_BYTES = 16 << 20
# Of XML all is held at once when it is counted.
MAX_XML_BYTES = 256 << 20
KEPT_OF_LONG_LINE = 64 << 10
_COMPRESSED_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b\x08"
# Logs compress 10 to 50 times; beyond this a large output is a bomb.
_BOMB_RATIO = 400
_BOMB_FLOOR = 256 << 20


class StreamError(Exception):
    """The stream ends early or is no gzip after all; `rule` is the file rule it breaks."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


@dataclass(frozen=True)
class Lines:
    """Whole lines of a file. `is_overlong` marks the beginning of one line beyond the bound."""

    data: bytes
    is_overlong: bool = False


def in_words(error: Exception) -> str:
    """What zlib says, without its number."""
    return str(error).rpartition(": ")[2]


def is_gzip(path: Path) -> bool:
    """Whether the file begins like gzip, whatever its name says."""
    with path.open("rb") as file:
        return file.read(3) == _GZIP_MAGIC


def read_blocks(path: Path, size: int = 0) -> Iterator[bytes]:
    """The (decompressed) bytes in blocks of at most `size`, by default BLOCK_BYTES.

    Raises StreamError after the last readable byte of a truncated or damaged gzip file.
    """
    size = size or BLOCK_BYTES
    if is_gzip(path):
        yield from produce_ahead(_inflate(path, size))
        return
    with path.open("rb") as file:
        while block := file.read(size):
            yield block


def read_lines(
    blocks: Iterator[bytes], *, returns: bool, keep: int = KEPT_OF_LONG_LINE
) -> Iterator[Lines]:
    """Regroup blocks so that each ends with a line; the last may lack its line end.

    With `returns`, a lone CR ends a line too where there is no LF. A line beyond MAX_LINE_BYTES
    is handed over alone, cut to `keep` bytes and marked.
    """
    limit = MAX_LINE_BYTES
    pending = b""
    skipping = False
    for block in blocks:
        start = 0
        if skipping:
            start = block.find(b"\n") + 1
            if not start:
                continue
            skipping = False
        cut = _last_line_end(block, returns)
        if cut > start:
            yield from _within_limit(b"".join((pending, memoryview(block)[start:cut])), limit, keep)
            pending = block[cut:]
        else:
            pending += block[start:]
        if len(pending) > limit:
            yield Lines(pending[:keep], is_overlong=True)
            pending, skipping = b"", True
    if pending:
        yield from _within_limit(pending, limit, keep)


def _last_line_end(data: bytes, returns: bool) -> int:
    """The length of the whole lines in `data`."""
    end = data.rfind(b"\n")
    if end < 0 and returns:
        end = data.rfind(b"\r", 0, len(data) - 1)
    return end + 1


def _within_limit(data: bytes, limit: int, keep: int) -> Iterator[Lines]:
    """Split off lines beyond the limit; usually the block passes as it is."""
    if len(data) <= limit:
        yield Lines(data)
        return
    done = start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        if end - start > limit:
            if start > done:
                yield Lines(data[done:start])
            yield Lines(data[start : start + keep], is_overlong=True)
            done = end
        start = end
    if done < len(data):
        yield Lines(data[done:])


def _inflate(path: Path, size: int) -> Iterator[bytes]:
    """Decompress one or more gzip members, which zero bytes may follow."""
    bound = max(_BOMB_FLOOR, path.stat().st_size * _BOMB_RATIO)
    produced = 0
    inflater = None
    with path.open("rb") as file:
        while chunk := file.read(_COMPRESSED_CHUNK):
            while chunk := chunk if inflater else chunk.lstrip(b"\0"):
                inflater = inflater or zlib.decompressobj(31)
                try:
                    block = inflater.decompress(chunk, size)
                except zlib.error as error:
                    what = f"damaged gzip data after {produced} bytes ({in_words(error)})"
                    raise StreamError("unreadable", what) from error
                if not produced and block.startswith(_GZIP_MAGIC):
                    raise StreamError("wrong_format", "the file is compressed twice with gzip")
                produced += len(block)
                if produced > bound:
                    raise StreamError("too_large", f"inflates to more than {bound} bytes")
                if block:
                    yield block
                chunk = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
                inflater = None if inflater.eof else inflater
    if inflater:
        if rest := inflater.flush():
            yield rest
        if not inflater.eof:
            what = f"the gzip stream ends before its end marker, after {produced} bytes"
            raise StreamError("truncated", what)
