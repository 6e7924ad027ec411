"""The process in which python-calamine reads one workbook after the other; see `foreignbook`.

Runs as a script and imports as little as possible: it starts in a few hundredths of a second.
Requests and answers are pickles on standard input and output, both from our own code.
"""

import pickle
import resource
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

# So many cells are handed over at once.
_CELLS = 1 << 20


class Books:
    """The open workbook, and the sheet that is being read."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._book: Any = None
        self._rows: Iterator[list[Any]] = iter(())
        self._width = 1

    def open(self, path: str) -> list[tuple[str, bool]]:
        """The worksheets by name, and whether each is visible."""
        from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

        used = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime)
        resource.setrlimit(resource.RLIMIT_CPU, (used + self._seconds, resource.RLIM_INFINITY))
        with open(path, "rb") as file:  # noqa: PTH123 - each import costs a start
            # by its content: a name may end with anything
            self._book = CalamineWorkbook.from_filelike(file)
        return [
            (meta.name, meta.visible == SheetVisibleEnum.Visible)
            for meta in self._book.sheets_metadata
            if meta.typ == SheetTypeEnum.WorkSheet
        ]

    def start(self, name: str) -> tuple[int, int] | None:
        """Where the filled part of a sheet begins; None for an empty one."""
        self._rows = iter(())
        sheet = self._book.get_sheet_by_name(name)
        if sheet.start is None:
            return None
        self._rows, self._width = sheet.iter_rows(), max(1, sheet.width)
        return int(sheet.start[0]), int(sheet.start[1])

    def read(self, count: int) -> list[list[Any]]:
        """The next rows of the sheet that was started last, fewer where they are wide."""
        return list(islice(self._rows, max(1, min(count, _CELLS // self._width))))

    def close(self) -> None:
        """Let go of the workbook."""
        self._book, self._rows = None, iter(())


def serve(requests: BinaryIO, answers: BinaryIO, books: Books) -> None:
    """Answer requests until there are none: (True, result) or (False, what failed)."""
    while True:
        try:
            name, arguments = pickle.load(requests)  # noqa: S301 - from the process that started us
        except EOFError:
            return
        try:
            answer = (True, getattr(books, name)(*arguments))
        except BaseException as error:  # a panic of the library is no Exception
            books.close()
            answer = (False, f"{type(error).__name__}: {error}"[:300])
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def main() -> None:
    """Bound memory (argument 1, bytes) and processor time (2, seconds a workbook), and serve."""
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer, Books(seconds))


if __name__ == "__main__":
    main()
