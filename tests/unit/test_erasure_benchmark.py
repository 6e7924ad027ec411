"""The benchmark of erasure finds what is left, and its silent contacts are nobody else."""

import gzip
import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.csv as pa_csv
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks are not installed

from benchmarks import __main__ as bench
from benchmarks import erasure_scan
from benchmarks.erasure_scan import find_holders
from benchmarks.erasure_world import write_silent
from zhongtai.contracts import load_contracts
from zhongtai.generate.people import phones

VALUE, OTHER = "13611110001", "UNION.77"


def write_home(home: Path, value: str) -> None:
    """A value as plain bytes, packed, and as a cell of files that compress their cells."""
    home.mkdir()
    cells = f"select 'x{value}y' as a, 1 as b from range(5000)"
    (home / "plain").write_bytes(b"\xff\0" * 1000 + value.encode() + b"\xfe")
    (home / "cut.gz").write_bytes(gzip.compress(b"noise" * 1000 + value.encode())[:-4])
    duckdb.execute(f"copy ({cells}) to '{home / 't.parquet'}' (format parquet, compression zstd)")
    with duckdb.connect(home / "t.duckdb") as opened:
        opened.execute(f"create schema s; create table s.t as {cells}")


def test_a_value_is_found_in_bytes_archives_and_cells(tmp_path: Path) -> None:
    write_home(tmp_path / "held", VALUE)
    write_home(tmp_path / "free", "13611110002")
    (tmp_path / "link").symlink_to(tmp_path / "held" / "plain")
    found, looked = find_holders(tmp_path, [OTHER, VALUE])
    assert found == [f"held/{name}" for name in ("cut.gz", "plain", "t.duckdb", "t.parquet")]
    files = [file for file in tmp_path.rglob("*") if file.is_file() and not file.is_symlink()]
    assert looked == sum(file.stat().st_size for file in files)


def test_a_value_is_a_text_and_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "near").write_bytes(b"UNION-77 UNIONX77")
    assert find_holders(tmp_path, [OTHER])[0] == []
    (tmp_path / "far").write_bytes(OTHER.encode())
    assert find_holders(tmp_path, [OTHER])[0] == ["far"]


@pytest.mark.parametrize("place", range(53, 66))
def test_a_value_across_two_blocks_is_found(
    place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure_scan, "_BLOCK", 64)
    (tmp_path / "file").write_bytes(b"." * place + VALUE.encode() + b"." * 40)
    assert find_holders(tmp_path, [VALUE])[0] == ["file"]


def test_silent_contacts_follow_the_contract_and_are_nobody_else(tmp_path: Path) -> None:
    as_of = datetime(2026, 3, 4, 16, tzinfo=UTC)
    for numbers in (range(1, 301), range(301, 401)):
        write_silent(tmp_path, numbers, 500, as_of)
    folder = tmp_path / "crm" / "contacts" / "silent"
    told = set()
    for stem, rows in (("silent_1", 300), ("silent_301", 100)):
        table = pa_csv.read_csv(folder / f"{stem}.csv")
        contract = load_contracts(Path(__file__).parents[2])["crm.contacts"]
        assert set(table.column_names) == {column.delivered for column in contract.columns}
        told |= set(table["手机号"].to_pylist())
        (entry,) = json.loads((folder / f"{stem}.manifest.json").read_text("utf-8"))["files"]
        content = (folder / entry["name"]).read_bytes()
        assert entry["rows"] == table.num_rows == rows
        assert (entry["bytes"], entry["sha256"]) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )
    assert len(told) == 400
    assert told.isdisjoint(int(one) for one in phones(7, range(500 * 7)).to_pylist())


def test_erasing_from_a_million_is_measured_only_when_it_is_asked_for() -> None:
    assert set(bench.PARTS) - set(bench.DEFAULT) == {"erasure"}
