"""Erasing from the quarantine: rows, and whole files that no reader could take apart."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zhongtai.contracts import Contract
from zhongtai.crash_points import reach
from zhongtai.erasure.leftovers import list_sought
from zhongtai.erasure.matching import wanted_rows_sql
from zhongtai.erasure.naming import ANYTHING, list_namings, tokens_sql
from zhongtai.erasure.raw import mark_named
from zhongtai.erasure.texts import holds_any
from zhongtai.ingest.parts import Lake, part_schema, place_file
from zhongtai.ingest.rules import literal, quoted
from zhongtai.ingest.setaside import json_path, read_rows, rows_file, whole_file
from zhongtai.ingest.settle import entity_lock
from zhongtai.settings import Settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_STAGED = ".erased"


@dataclass(frozen=True)
class Quarantine:
    """What is set aside; `duck` has the temp table `wanted` (kind, value)."""

    settings: Settings
    connection: psycopg.Connection
    duck: "DuckDBPyConnection"

    def count(self, contract: Contract) -> tuple[int, int]:
        """How many set aside rows and whole files of an entity name the persons."""
        rows = sum(len(lines) for _, lines in self._find_rows(contract))
        return rows, sum(1 for _ in self._find_files(contract))

    def erase(self, contract: Contract) -> tuple[int, int]:
        """Take out the rows and drop the files; returns how many. May be repeated.

        To be called before the parts of the entity are written anew: those of replays tell which
        rows were replayed.
        """
        with entity_lock(self.settings, self.connection, contract):
            self._finish_staged(contract)
            rows = 0
            for delivery, lines in list(self._find_rows(contract)):
                self._take_out(delivery, lines)
                rows += len(lines)
            files = 0
            for delivery in list(self._find_files(contract)):
                self._drop(delivery)
                files += 1
            self._remove_dropped(contract)
        return rows, files

    def _find_rows(self, contract: Contract) -> Iterator[tuple["SetAside", pa.Array]]:
        """Deliveries with the lines of set aside rows that name the persons, even in passing."""
        held = {
            str(rows_file(self.settings, contract.source, contract.entity, one.sha256)): one
            for one in self._list(contract, "status = 'loaded'")
        }
        files = [file for file in held if Path(file).exists()]
        if not files:
            return
        listed = ", ".join(literal(file) for file in files)
        read = f"read_parquet([{listed}], filename = true)"
        fields = ", ".join(
            f"json_extract_string(record, {literal(json_path(field.name))}) as {quoted(field.name)}"
            for field in part_schema(contract)
        )
        relation = f"(select filename, line, {fields} from {read} where record is not null)"  # noqa: S608
        read_rows_of = wanted_rows_sql(list_namings(contract), relation, "filename, line")
        words = f"select filename, line, unnest({tokens_sql('original')}) as value from {read}"  # noqa: S608
        found = self.duck.execute(
            f"select distinct filename, line from ({read_rows_of}) union"  # noqa: S608 - contracts
            f" select distinct filename, line from ({words} where record is null)"
            f" semi join (select value from wanted where kind = '{ANYTHING}') using (value)"
        ).to_arrow_table()
        for file in pc.unique(found["filename"]).to_pylist():
            lines = found.filter(pc.equal(found["filename"], file))["line"].combine_chunks()
            yield held[file], lines

    def _find_files(self, contract: Contract) -> Iterator["SetAside"]:
        """Files that were quarantined whole and name the persons somewhere."""
        for delivery in self._list(contract, "status = 'quarantined'"):
            kept = self._kept(contract, delivery)
            if kept.exists() and self._is_named_in(kept):
                yield delivery

    def _is_named_in(self, file: Path) -> bool:
        return holds_any(file, list_sought(self.duck))

    def _take_out(self, delivery: "SetAside", lines: pa.Array) -> None:
        file = rows_file(self.settings, delivery.source, delivery.entity, delivery.sha256)
        rows = read_rows(file)
        gone = pc.is_in(rows["line"], value_set=lines)
        taken, left = rows.filter(gone), rows.filter(pc.invert(gone))
        replayed = pc.is_in(taken["line"], value_set=self._replayed(delivery))
        staged = _staged(file)
        staged.touch(mode=0o600)
        pq.write_table(left, staged, compression="zstd")
        gone = taken.num_rows - (pc.sum(replayed).as_py() or 0)
        reach("erase.rows_staged")
        with self.connection.transaction():
            self._count_rules(delivery, taken, "rows")
            self._count_rules(delivery, taken.filter(replayed), "replayed_rows")
            self.connection.execute(
                "update ledger.deliveries set rows_quarantined = rows_quarantined - %(rows)s,"
                " rows_suppressed = rows_suppressed + %(rows)s where delivery_id = %(id)s",
                {"rows": gone, "id": delivery.id},
            )
            self._note(delivery.id, gone, is_whole=False)
            mark_named(self.connection, delivery.id)
            self.connection.execute(
                "insert into erasure.staged_files values (%s) on conflict do nothing",
                [self._relative(file)],
            )
        reach("erase.rows_counted")
        self._show(file)

    def _replayed(self, delivery: "SetAside") -> pa.Array:
        parts = self.connection.execute(
            "select part from ledger.parts where delivery_id = %s and kind = 'replay'",
            [delivery.id],
        ).fetchall()
        lake = Lake(self.settings)
        lines = [lake.read_column(part, "_row_number") for (part,) in parts]
        return pa.concat_arrays([pa.array([], pa.int64()), *lines])

    def _count_rules(self, delivery: "SetAside", taken: pa.Table, column: str) -> None:
        for rule, rows in Counter(taken["rule"].to_pylist()).items():
            self.connection.execute(
                f"update ledger.quarantine set {column} = {column} - %s"  # noqa: S608 - our own
                " where delivery_id = %s and level = 'row' and rule = %s",
                [rows, delivery.id, rule],
            )

    def _note(self, delivery_id: str, rows: int, *, is_whole: bool) -> None:
        """Called in the transaction that counts rows as gone; an erasure keeps no list of them."""

    def _drop(self, delivery: "SetAside") -> None:
        with self.connection.transaction():
            row = self.connection.execute(
                "update ledger.deliveries set rows_suppressed = rows_in, rows_quarantined = 0"
                " where delivery_id = %s returning rows_in",
                [delivery.id],
            ).fetchone()
            self._note(delivery.id, row[0] if row else 0, is_whole=True)
            self.connection.execute(
                "insert into erasure.named_files values (%s, true)"
                " on conflict (delivery_id) do update set is_dropped = true",
                [delivery.id],
            )
        reach("erase.file_counted")

    def _remove_dropped(self, contract: Contract) -> None:
        condition = "delivery_id in (select delivery_id from erasure.named_files where is_dropped)"
        for delivery in self._list(contract, condition):
            shutil.rmtree(self._kept(contract, delivery).parent, ignore_errors=True)
            reach("erase.file_dropped")

    def _finish_staged(self, contract: Contract) -> None:
        """Put staged files whose counts are committed in place; remove any other."""
        folder = self.settings.path("quarantine", contract.source, contract.entity)
        for staged in folder.glob(f".*{_STAGED}"):
            file = staged.with_name(staged.name[1:].removesuffix(_STAGED))
            known = self.connection.execute(
                "select 1 from erasure.staged_files where path = %s", [self._relative(file)]
            ).fetchone()
            if known:
                self._show(file)
            else:
                staged.unlink()
                reach("erase.staged_removed")

    def _show(self, file: Path) -> None:
        place_file(_staged(file), file)
        self.connection.execute(
            "delete from erasure.staged_files where path = %s", [self._relative(file)]
        )

    def _relative(self, file: Path) -> str:
        return str(file.relative_to(self.settings.path()))

    def _kept(self, contract: Contract, delivery: "SetAside") -> Path:
        name = delivery.file.rpartition("/")[2]
        return whole_file(self.settings, contract.source, contract.entity, delivery.sha256, name)

    def _list(self, contract: Contract, condition: str) -> list["SetAside"]:
        found = self.connection.execute(
            "select delivery_id, source, entity, file, sha256 from ledger.deliveries"  # noqa: S608
            f" where source = %s and entity = %s and {condition} order by sequence",
            [contract.source, contract.entity],
        )
        return [SetAside(*row) for row in found]


@dataclass(frozen=True)
class SetAside:
    """A delivery of which something is set aside."""

    id: str
    source: str
    entity: str
    file: str
    sha256: str


def _staged(file: Path) -> Path:
    return file.with_name(f".{file.name}{_STAGED}")
