"""The bytes of a file, decompressed, in blocks; memory stays bounded whatever the file holds."""

import queue
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

BLOCK_BYTES = 8 << 20
MAX_LINE_BYTES = 16 << 20
KEPT_OF_LONG_LINE = 64 << 10
_COMPRESSED_CHUNK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
# Logs compress 10 to 50 times; beyond this a large output is a bomb.
_BOMB_RATIO = 400
_BOMB_FLOOR = 1 << 30


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


def is_gzip(path: Path) -> bool:
    """Whether the file begins like gzip, whatever its name says."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP_MAGIC


def read_blocks(path: Path, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The (decompressed) bytes in blocks of at most `size`.

    Raises StreamError after the last readable byte of a truncated or damaged gzip file.
    """
    if is_gzip(path):
        yield from _prefetch(_inflate(path, size))
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
        if skipping:
            end = block.find(b"\n")
            if end < 0:
                continue
            skipping = False
            data = block[end + 1 :]
        else:
            data = pending + block if pending else block
        cut = _last_line_end(data, returns)
        if cut:
            yield from _within_limit(data[:cut], limit, keep)
            data = data[cut:]
        pending = data
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
                    raise StreamError("unreadable", f"damaged gzip data ({error})") from error
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
            raise StreamError("truncated", "the gzip stream ends before its end marker")


def _prefetch(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Produce blocks in a thread, two ahead: zlib works outside the interpreter lock."""
    ahead: queue.Queue[bytes | BaseException | None] = queue.Queue(maxsize=2)
    stopped = threading.Event()

    def offer(item: bytes | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ahead.put(item, timeout=0.1)
                return

    def produce() -> None:
        try:
            for block in blocks:
                offer(block)
                if stopped.is_set():
                    return
            offer(None)
        except BaseException as error:  # raised again by the consumer
            offer(error)

    thread = threading.Thread(target=produce, name="inflate", daemon=True)
    thread.start()
    try:
        while (item := ahead.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
