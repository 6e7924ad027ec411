"""Files of a format that no contract has, told by their first bytes."""

from contextlib import suppress
from pathlib import Path

from zhongtai.contracts import Contract
from zhongtai.readers.bytestream import StreamError, read_blocks
from zhongtai.readers.records import FileRejected

_EXPECTED = {"jsonl": "JSON Lines", "csv": "delimited text", "xlsx": "a workbook", "adf": "ADF XML"}
_KINDS = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Office document",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"\xfd7zXZ\x00": "compressed with xz",
    b"\x04\x22\x4d\x18": "compressed with lz4",
    b"%PDF-": "a PDF document",
    b"PAR1": "a Parquet file",
    b"Obj\x01": "an Avro file",
    b"SQLite format 3\x00": "an SQLite database",
    b"\x89PNG\r\n": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x7fELF": "a program",
}
_LOOKED_AT = 64 << 10
_BZIP2 = b"1AY&SY"


def refuse_foreign(contract: Contract, path: Path) -> None:
    """Raise FileRejected for a file that is neither text nor gzip, and say what it is."""
    head = b""
    # a stream that is damaged at its very beginning is the reader's to tell of
    with suppress(StreamError):
        head = next(read_blocks(path, _LOOKED_AT), b"")
    kind = next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), "")
    if head[:3] == b"BZh" and head[4:10] == _BZIP2:
        kind = "compressed with bzip2"
    if head and not head.strip(b"\0"):
        kind = "nothing but zero bytes, as failed transfers leave them"
    if kind:
        expected = _EXPECTED[contract.format]
        reason = f"the file is {kind}; expected {expected}, plain or compressed with gzip"
        raise FileRejected("wrong_format", reason)
