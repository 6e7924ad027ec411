"""Ingesting each format into Parquet, checks included, against DuckDB's own reader.

The floor reads the same rows as clean UTF-8 text (CSV, or JSON Lines for events) with DuckDB and
writes them to Parquet. Ours takes the file as it is delivered (GB18030, gzip, XLSX, XML), hashes
it, counts its rows independently, applies the row rules, sets aside what breaks them and writes
the part: all that ingestion does but the ledger.

    python -m benchmarks.ingest [--rows 300000] [--rounds 3] [--format leads ...]
"""

import argparse
import csv
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.old_workbook import write_old_workbook
from zhongtai.contracts import Contract, load_contracts
from zhongtai.landing import Delivery, LandedFile, LandingZone
from zhongtai.runs import Run
from zhongtai.settings import load_settings

PROJECT = Path(__file__).resolve().parents[1]
AS_OF = datetime(2026, 4, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Format:
    """A format that sources deliver: in which file, and how many rows of it fill one."""

    description: str
    entity: str
    suffix: str
    write: "Callable[[Contract, Path, Path, int], str]"
    share: int = 1


@dataclass(frozen=True)
class Case:
    """A delivered file, the clean text of its rows, and how DuckDB reads that."""

    name: str
    contract: Contract
    delivered: Path
    floor: str
    rows: int

    @property
    def file(self) -> LandedFile:
        """The delivered file as the landing zone lists it."""
        files = LandingZone(str(self.delivered.parent)).list()
        return next(f for f in files if isinstance(f, LandedFile) and f.name == self.delivered.name)


def make_cases(folder: Path, rows: int, names: list[str]) -> Iterator[Case]:
    """The files of every format, with `rows` rows or the share of them that fits into one."""
    contracts = load_contracts(PROJECT)
    for name in names or FORMATS:
        made = FORMATS[name]
        contract, count = contracts[made.entity], rows // made.share
        delivered = folder / f"{name}{made.suffix}"
        floor = made.write(contract, delivered, folder / f"{name}.clean", count)
        yield Case(name, contract, delivered, floor, count)


def event(number: int) -> dict[str, Any]:
    """An app event of usual size."""
    user = f"u{number % 50_000:020d}"
    return {
        "type": "track", "event": "ViewSeries", "distinct_id": user, "time": 1772690700000 + number,
        "_track_id": number * 7919 % 10**9, "_flush_time": 1772690701000 + number,
        "anonymous_id": f"d{number:016x}", "login_id": user,
        "identities": {"$identity_login_id": user, "$identity_anonymous_id": f"d{number:016x}"},
        "project": "production", "lib": {"$lib": "iOS", "$lib_version": "4.5.6"},
        "properties": {
            "$os": "iOS", "$os_version": "17.1", "$model": "iPhone15,2", "$network_type": "WIFI",
            "$ip": "10.1.2.3", "$province": "广东", "$city": "深圳", "$is_first_day": False,
            "$app_version": "3.2.1", "series_code": "A7", "model_code": "A7-2026",
        },
    }  # fmt: skip


def write_events(_: Contract, delivered: Path, clean: Path, rows: int) -> str:
    """JSON Lines."""
    lines = (json.dumps(event(n), ensure_ascii=False) for n in range(rows))
    clean.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    delivered.write_bytes(clean.read_bytes())
    return f"read_json('{clean}', format = 'newline_delimited')"


def write_packed_events(contract: Contract, delivered: Path, clean: Path, rows: int) -> str:
    """Gzipped JSON Lines."""
    floor = write_events(contract, delivered, clean, rows)
    delivered.write_bytes(gzip.compress(clean.read_bytes(), 6))
    return floor


def cell(column: str, kind: str, number: int) -> str:
    """A plausible value of a column."""
    values = {
        "key": f"K{number:012d}",
        "ms": str(1772690700000 + number),
        "mobile": f"138{number * 7919 % 10**8:08d}",
        "bool": "是" if number % 2 else "否",
        "text": f"{column}{number % 97}" if number % 10 else "含逗号, 的文本",
        **dict.fromkeys(("yuan", "fen", "int", "num"), str(number % 5000)),
        **dict.fromkeys(
            ("ts", "date"),
            f"2026-03-{number % 28 + 1:02d} {number % 24:02d}:{number % 60:02d}:00",
        ),
    }
    return values.get(kind, f"{column}{number % 97}")


def records(contract: Contract, rows: int) -> Iterator[list[str]]:
    """The header and the rows of an entity; a quarter of the columns is empty where it may be."""
    yield [column.delivered for column in contract.columns]
    for number in range(rows):
        yield [
            ""
            if place % 4 == 3 and not column.required
            else cell(column.delivered, column.type, number)
            for place, column in enumerate(contract.columns)
        ]


def write_clean(contract: Contract, clean: Path, rows: int) -> str:
    """The rows as plain UTF-8 CSV."""
    with clean.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(records(contract, rows))
    return f"read_csv('{clean}', all_varchar = true, header = true)"


def write_leads(contract: Contract, delivered: Path, clean: Path, rows: int) -> str:
    """GB18030 with quotes where they are needed."""
    floor = write_clean(contract, clean, rows)
    delivered.write_bytes(clean.read_text("utf-8").encode("gb18030"))
    return floor


def write_services(contract: Contract, delivered: Path, clean: Path, rows: int) -> str:
    """GBK with quotes where they are needed."""
    floor = write_clean(contract, clean, rows)
    delivered.write_bytes(clean.read_text("utf-8").encode("gbk"))
    return floor


def write_spreadsheet_text(contract: Contract, delivered: Path, clean: Path, rows: int) -> str:
    """UTF-16 with tabs, as a spreadsheet saves its text."""
    floor = write_clean(contract, clean, rows)
    with delivered.open("w", encoding="utf-16", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(records(contract, rows))
    return floor


def write_pages(contract: Contract, delivered: Path, clean: Path, rows: int) -> str:
    """Gzipped, every field quoted, quotes escaped by a backslash."""
    lines: list[str] = []
    for values in records(contract, rows):
        values[-3] = '{"series_code":"A7","n":"x"}' if lines else values[-3]
        quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
        lines.append(",".join(f'"{value}"' for value in quoted))
    clean.write_text("\n".join(lines) + "\n", "utf-8")
    delivered.write_bytes(gzip.compress(clean.read_bytes(), 6))
    return f"read_csv('{clean}', all_varchar = true, header = true, quote = '\"', escape = '\\')"


def write_orders(contract: Contract, delivered: Path, clean: Path, rows: int) -> str:
    """A workbook with shared texts and numbers."""
    import xlsxwriter  # type: ignore[import-untyped]

    floor = write_clean(contract, clean, rows)
    book = xlsxwriter.Workbook(str(delivered))
    sheet = book.add_worksheet("订单")
    for number, values in enumerate(cells(contract, rows)):
        for place, value in enumerate(values):
            if isinstance(value, float):
                sheet.write_number(number, place, value)
            elif value:
                sheet.write_string(number, place, value)
    book.close()
    return floor


def write_old_orders(contract: Contract, delivered: Path, clean: Path, rows: int) -> str:
    """A workbook as spreadsheet programs before 2007 wrote it."""
    floor = write_clean(contract, clean, rows)
    write_old_workbook(delivered, "订单", cells(contract, rows), len(contract.columns))
    return floor


def cells(contract: Contract, rows: int) -> Iterator[list[str | float]]:
    """The same rows with numbers as numbers."""
    is_number = [column.type in ("yuan", "num") for column in contract.columns]
    for number, values in enumerate(records(contract, rows)):
        yield [
            float(value) if number and value and is_number[place] else value
            for place, value in enumerate(values)
        ]


def write_adf(contract: Contract, delivered: Path, clean: Path, rows: int) -> str:
    """Prospects with the usual elements."""
    floor = write_clean(contract, clean, rows)
    prospects = (
        f'<prospect><id sequence="1" source="平台">{n}</id><requestdate>2026-03-05T15:30:20+08:00'
        '</requestdate><vehicle interest="buy"><year>2026</year><make>M</make><model>A7</model>'
        '<trim>Pro</trim></vehicle><customer><contact><name part="full">王小明</name>'
        f"<phone>138{n:08d}</phone><email>a{n}@example.com</email><address><city>深圳</city>"
        "<regioncode>GD</regioncode></address></contact><comments>想试驾</comments></customer>"
        "<vendor><id>D001</id></vendor><provider><name>平台</name></provider></prospect>\n"
        for n in range(rows)
    )
    delivered.write_text(f'<?ADF VERSION="1.0"?>\n<adf>{"".join(prospects)}</adf>', "utf-8")
    return floor


FORMATS = {
    "events": Format("jsonl", "app.events", ".jsonl", write_events),
    "events_gz": Format("jsonl.gz", "app.events", ".jsonl.gz", write_packed_events),
    "leads": Format("csv gb18030", "crm.leads", ".csv", write_leads),
    "services": Format("csv gbk", "dms.service_orders", ".csv", write_services),
    "leads_utf16": Format("utf-16 with tabs", "crm.leads", ".csv", write_spreadsheet_text),
    "pages": Format("csv gz quoted", "website.pages", ".csv.gz", write_pages),
    "orders": Format("xlsx", "dms.orders", ".xlsx", write_orders, 5),
    # a sheet of the old kind ends at 65,536 rows
    "old_orders": Format("xls", "dms.orders", ".xls", write_old_orders, 5),
    "adf": Format("adf", "crm.adf_leads", ".xml", write_adf, 10),
}


Spent = tuple[float, float]  # wall and processor seconds


def run_floor(case: Case, folder: Path) -> Spent:
    """DuckDB's own reader to Parquet."""
    import duckdb

    target = folder / "floor.parquet"
    with spending() as spent, duckdb.connect() as connection:
        connection.execute(
            f"copy (select * from {case.floor}) to '{target}' (format parquet, compression zstd)"  # noqa: S608 - our own paths
        )
    return spent()


def run_ours(case: Case, folder: Path) -> Spent:
    """Judge as ingestion does: hash, count, read, apply the rules, set aside, write the part.

    Checks that every row arrived. Workers ask the ledger once for all files that wait, so that is
    not counted; each opens DuckDB with its first file, as the floor does, which is.
    """
    from zhongtai.ingest.drain import open_workers

    settings = load_settings(home=folder, landing=str(case.delivered.parent))
    run = Run("", "benchmark", AS_OF, AS_OF)
    with (
        tempfile.TemporaryDirectory(dir=folder) as parts,
        open_workers(settings, run, Path(parts)) as workers,
        spending() as spent,
    ):
        judged = workers.submit(Delivery(case.contract, case.file, "")).result()
    if judged.rule or not judged.rows_in == judged.rows_loaded == case.rows:
        raise AssertionError(f"{case.name}: {case.rows} rows, {judged}")
    return spent()


@contextmanager
def spending() -> "Iterator[Callable[[], Spent]]":
    """Hands over what tells, once the block has ended, how long it took."""
    wall, processor = time.perf_counter(), time.process_time()
    took: list[Spent] = []
    yield lambda: took[0]
    took.append((time.perf_counter() - wall, time.process_time() - processor))


def measure(case: Case, folder: Path, rounds: int) -> dict[str, object]:
    """Best wall and processor seconds of both, measured in turns, and their ratios."""
    best: dict[str, Spent] = {}
    for _ in range(rounds):
        for name, run in (("floor", run_floor), ("ours", run_ours)):
            spent = run(case, folder)
            known = best.get(name, spent)
            best[name] = (min(known[0], spent[0]), min(known[1], spent[1]))
    floor, ours = best["floor"], best["ours"]
    return {
        "case": case.name,
        "rows": case.rows,
        "delivered_mb": round(case.delivered.stat().st_size / 2**20, 1),
        "floor_seconds": round(floor[0], 4),
        "ours_seconds": round(ours[0], 4),
        "ratio": round(ours[0] / floor[0], 2),
        "processor_ratio": round(ours[1] / floor[1], 2),
    }


def main() -> None:
    """Print one line of JSON per format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--format", nargs="*", default=[], dest="formats")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zhongtai-bench-") as name:
        folder = Path(name)
        for case in make_cases(folder, options.rows, options.formats):
            print(json.dumps(measure(case, folder, options.rounds)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
