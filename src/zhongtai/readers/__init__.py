"""Readers of the delivered formats: good rows as Arrow batches, everything else with a reason."""

from pathlib import Path

from zhongtai.contracts import Contract
from zhongtai.readers.adf import AdfReader
from zhongtai.readers.counting import count_rows
from zhongtai.readers.delimited import DelimitedReader
from zhongtai.readers.foreignformat import refuse_foreign
from zhongtai.readers.jsonlines import JsonLinesReader
from zhongtai.readers.records import FileRejected, Note, Reader, row_schema
from zhongtai.readers.sheet import SheetReader
from zhongtai.readers.workbook import sniff_kind

__all__ = ["FileRejected", "Note", "Reader", "count_rows", "open_reader", "row_schema"]


def open_reader(contract: Contract, path: Path) -> Reader:
    """A reader for a delivered file, by the format its contract declares.

    Raises FileRejected where the whole file is unreadable or lacks a required column.
    """
    if contract.format not in ("jsonl", "adf") and sniff_kind(path) != "text":
        # some systems write a workbook under the name of a CSV, and the other way round
        return SheetReader(contract, path)
    refuse_foreign(contract, path)
    if contract.format == "jsonl":
        return JsonLinesReader(contract, path)
    if contract.format == "adf":
        return AdfReader(contract, path)
    return DelimitedReader(contract, path)
