"""The dbt models of facts and metrics over hand-made rows: compiled once, run in memory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from zhongtai.settings import Settings
from zhongtai.transform import _invoke

Row = Mapping[str, object]

_BUILT = ("intermediate/facts/", "intermediate/metrics/", "intermediate/users/", "marts/metrics/")
_OTHERS = {
    "meta.run_context": "run_id varchar, as_of timestamp",
    "meta.contracts": "source varchar, entity varchar, owner varchar, fresh_within_minutes bigint",
    "meta.deliveries": (
        "delivery_id varchar, source varchar, entity varchar, file varchar, sha256 varchar,"
        " exported_at timestamp, delivered_at timestamp, status varchar, reason varchar,"
        " rows_in bigint, rows_loaded bigint, rows_quarantined bigint, rows_duplicate bigint,"
        " rows_suppressed bigint, max_event_at timestamp, loaded_at timestamp, run_id varchar"
    ),
    "meta.snapshots": (
        "snapshot_id varchar, run_id varchar, state varchar, as_of timestamp,"
        " identity_version varchar, content_hash varchar, because varchar, created_at timestamp,"
        " published_at timestamp"
    ),
    "meta.handovers": "vin varchar, taken_over_at timestamp",
    "meta.next_snapshot": (
        "snapshot_id varchar, run_id varchar, as_of timestamp, created_at timestamp"
    ),
    "meta.gate_measures": "run_id varchar, measure varchar, value double",
    "meta.restatements": (
        "restated_at timestamp, table_name varchar, period date, row_key varchar, metric varchar,"
        " old_value double, new_value double, cause varchar, because varchar, run_id varchar"
    ),
    "raw.crm__manual_tags__every_row": (
        '_delivery_id varchar, "标识类型" varchar, "标识值" varchar'
    ),
    "identity.shared_values": (
        "identifier_type varchar, identifier_scope varchar, identifier_value varchar,"
        " sharing varchar"
    ),
    "identity.version": "identity_version varchar",
    "tags.computed": "as_of timestamp",
    "tags.fingerprints": "concern varchar, one_id varchar, fingerprint ubigint",
    "meta.quarantine": (
        "delivery_id varchar, level varchar, rule varchar, column_name varchar, reason varchar,"
        " severity varchar, rows bigint, replayed_rows bigint"
    ),
}


@dataclass(frozen=True)
class Project:
    """What dbt made of the project: the nodes of its manifest by name, and its semantics."""

    root: Path
    nodes: Mapping[str, dict[str, Any]]
    built: Sequence[str] = _BUILT
    semantics: str = ""

    def relation(self, name: str) -> str:
        """schema.table of a model or seed."""
        return f"{self.nodes[name]['schema']}.{name}"

    def parents(self, name: str) -> list[str]:
        """Models and seeds that a model reads."""
        found = self.nodes[name]["depends_on"]["nodes"]
        return [node.split(".")[-1] for node in found if not node.startswith("source.")]

    def is_built(self, name: str) -> bool:
        """Whether the bench runs the model, rather than take it as given."""
        path = str(self.nodes[name]["original_file_path"])
        return any(path.startswith(f"models/{start}") for start in self.built)


def as_utc(local: str) -> datetime:
    """The naive UTC time of an ISO local time (Asia/Shanghai)."""
    return datetime.fromisoformat(local) - timedelta(hours=8)


AS_OF = as_utc("2026-09-01")  # a local midnight
_COMPILED: dict[tuple[str, ...], Project] = {}


def compile_project(settings: Settings, built: Sequence[str] = _BUILT) -> Project:
    """Compile the models whose paths begin so (facts, users and metrics); takes some seconds.

    Once per process: what it makes of the same paths is the same for every test.
    """
    if tuple(built) not in _COMPILED:
        _COMPILED[tuple(built)] = _compile(settings, built)
    return _COMPILED[tuple(built)]


def _compile(settings: Settings, built: Sequence[str]) -> Project:
    folders = [f"path:models/{start.rstrip('/')}" for start in built]
    result = _invoke(settings, ["compile", "--select", *folders, "--exclude", "resource_type:test"])
    assert result.success, result.exception
    target = settings.path("dbt", "target")
    nodes = json.loads((target / "manifest.json").read_text("utf-8"))["nodes"].values()
    kept = {n["name"]: n for n in nodes if n["resource_type"] in {"model", "seed"}}
    semantics = (target / "semantic_manifest.json").read_text("utf-8")
    return Project(settings.project_dir, kept, built, semantics)


@dataclass
class Bench:
    """One in-memory warehouse. Staging and bridges are empty until `given` fills them.

    `broken`: model to a text of its SQL and what stands there instead.
    """

    project: Project
    as_of: datetime = AS_OF
    broken: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    connection: duckdb.DuckDBPyConnection = field(
        default_factory=lambda: duckdb.connect(":memory:")
    )
    _made: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.connection.execute(
            "attach ':memory:' as build; use build; set timezone = 'UTC'; set threads = 1"
        )
        for relation, columns in _OTHERS.items():
            self._schema(relation)
            self.connection.execute(f"create table {relation} ({columns})")
        self.connection.execute("insert into meta.run_context values ('run', ?)", [self.as_of])

    def given(self, name: str, rows: Sequence[Row]) -> None:
        """Replace what a staging model, bridge, seed or meta table holds; columns may be absent."""
        relation = name if name in _OTHERS else self._create(name)
        self.connection.execute(f"delete from {relation}")
        self._insert(relation, rows)

    def given_instead(self, name: str, rows: Sequence[Row]) -> None:
        """Replace what a built model holds, so that what reads it sees these rows."""
        self._make(name)
        relation = self.project.relation(name)
        self.connection.execute(f"delete from {relation}")
        self._insert(relation, rows)

    def persons(self, source: str, entity: str, one_ids: Mapping[str, str]) -> None:
        """Link records (by key) to persons, beside the links made before."""
        rows = [
            {"source": source, "entity": entity, "record_key": key, "one_id": one_id}
            for key, one_id in one_ids.items()
        ]
        self._insert(self._create("bridge_user_records"), rows)

    def _insert(self, relation: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        names = list(dict.fromkeys(name for row in rows for name in row))
        frame = pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
        self.connection.register("given_rows", frame)
        self.connection.execute(f"insert into {relation} by name select * from given_rows")
        self.connection.unregister("given_rows")

    def build(self, name: str) -> list[dict[str, Any]]:
        """Run a model and what it reads; its rows as dicts."""
        self._make(name)
        return self.query(f"select * from {self.project.relation(name)}")

    def remake(self, name: str) -> None:
        """Run a model again over what the models that it reads hold now."""
        self._made.discard(name)
        self._make(name)

    def query(self, query: str) -> list[dict[str, Any]]:
        """Rows of any query as dicts."""
        cursor = self.connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _make(self, name: str) -> None:
        if name in self._made:
            return
        if not self.project.is_built(name):
            self._create(name)
            return
        for parent in self.project.parents(name):
            self._make(parent)
        relation = self.project.relation(name)
        self._schema(relation)
        code = self.project.nodes[name]["compiled_code"]
        if name in self.broken:
            sound, broken = self.broken[name]
            assert sound in code, f"{name} has no {sound!r}"
            code = code.replace(sound, broken)
        self.connection.execute(f"create or replace table {relation} as {code}")
        self._made.add(name)

    def _create(self, name: str) -> str:
        """The relation of a model or seed that is given; a seed holds what its CSV says."""
        relation = self.project.relation(name)
        if name in self._made:
            return relation
        self._schema(relation)
        node = self.project.nodes[name]
        if node["resource_type"] == "seed":
            file = self.project.root / "seeds" / f"{name}.csv"
            self.connection.execute(
                f"create table {relation} as select * from read_csv(?, header = true, columns = ?)",
                [str(file), node["config"]["column_types"]],
            )
        else:
            columns = ", ".join(f'"{c}" {t}' for c, t in _columns(node).items())
            self.connection.execute(f"create table {relation} ({columns})")
        self._made.add(name)
        return relation

    def _schema(self, relation: str) -> None:
        self.connection.execute(f"create schema if not exists {relation.split('.', maxsplit=1)[0]}")


def _columns(node: Mapping[str, Any]) -> dict[str, str]:
    found = {name: column.get("data_type") for name, column in node["columns"].items()}
    assert found, f"{node['name']} documents no column"
    untyped = [name for name, kind in found.items() if kind is None]
    assert not untyped, f"{node['name']} has no data type for {untyped}"
    return found


def only(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The one row there must be."""
    assert len(rows) == 1, rows
    return rows[0]


def ratio(row: Mapping[str, Any], name: str) -> tuple[int, int]:
    """Numerator and denominator of a ratio; checks that the ratio itself agrees."""
    hits, anchors = row[f"{name}_num"], row[f"{name}_den"]
    assert row[name] == (hits / anchors if anchors else None)
    return hits, anchors
