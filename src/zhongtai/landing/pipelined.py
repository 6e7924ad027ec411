"""Reading a file from an SFTP server with many requests under way, as OpenSSH's own client does."""

from heapq import heappop, heappush
from typing import Any

import paramiko
from paramiko.sftp import CMD_DATA, CMD_READ, CMD_STATUS, int64

# What OpenSSH's client asks for at once; every server must answer reads of this size.
_REQUESTS = 64
_REQUEST_BYTES = 1 << 15


class Pipelined:
    """The bytes of an opened file, from its start up to a size. For one thread.

    Paramiko's own prefetching takes an answer that comes quickly for the last one: then it waits
    for each piece, and what it has asked for beside fills the memory with the whole file.
    """

    def __init__(self, ftp: paramiko.SFTPClient, opened: paramiko.SFTPFile, size: int) -> None:
        self._ftp = ftp
        self._handle = opened.handle
        self._size = size
        self._read = self._asked = 0
        self._waiting: dict[int, tuple[int, int]] = {}
        self._cut: list[tuple[int, int]] = []
        self._arrived: dict[int, bytes] = {}
        self._refused: Exception | None = None

    def read(self, count: int) -> bytes:
        """The next bytes, fewer than `count` at the end only; empty where there are no more."""
        pieces = bytearray()
        while len(pieces) < count and (piece := self._next()):
            pieces += piece
        return bytes(pieces)

    def _next(self) -> bytes:
        self._ask()
        while self._waiting and self._read not in self._arrived:
            self._ftp._read_response()
            if self._refused:
                raise self._refused
            self._ask()
        piece = self._arrived.pop(self._read, b"")
        self._read += len(piece)
        return piece

    def _ask(self) -> None:
        """Have as many requests under way as may be, counting what arrived too early."""
        while len(self._waiting) + len(self._arrived) < _REQUESTS:
            if self._cut:
                offset, length = heappop(self._cut)
            elif self._asked < self._size:
                offset, length = self._asked, min(_REQUEST_BYTES, self._size - self._asked)
                self._asked += length
            else:
                return
            number = self._ftp._async_request(
                self, CMD_READ, self._handle, int64(offset), int(length)
            )
            self._waiting[number] = offset, length

    def _async_response(self, kind: int, message: Any, number: int) -> None:
        """What paramiko calls with the answer to a request."""
        offset, length = self._waiting.pop(number)
        if kind == CMD_STATUS:
            try:
                self._ftp._convert_status(message)
            except EOFError:
                self._size = min(self._size, offset)  # the file has become shorter
            except OSError as error:
                self._refused = error
            return
        if kind != CMD_DATA:
            self._refused = paramiko.SFTPError("expected data")
            return
        data = message.get_string()[:length]
        if not data:
            self._size = min(self._size, offset)
            return
        self._arrived[offset] = data
        if len(data) < length:
            # a server may send less than it was asked for
            heappush(self._cut, (offset + len(data), length - len(data)))
