"""Tags of kind sql: a select over the declared facts, parsed and bound before anything runs."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zhongtai.contracts.document import Section
from zhongtai.tags.facts import FACTS, PROFILE
from zhongtai.tags.model import Given, ValueType
from zhongtai.tags.wants import Query

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PERSONS = "persons"
SQL_TYPES = {
    "text": "varchar",
    "integer": "bigint",
    "boolean": "boolean",
    "time": "timestamp",
    "date": "date",
}
_VALUE_TYPES = {
    "boolean": ("BOOLEAN",),
    "text": ("VARCHAR",),
    "integer": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
    "number": ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL"),
    "date": ("DATE",),
    "list": ("VARCHAR[]",),
}
# of several rows these pick one by chance, and the clock is as_of
_BY_CHANCE = {"first", "last", "any_value", "arbitrary", "getvariable", "current_setting"}
_CLOCK = {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}


def relations() -> Mapping[str, Mapping[str, str]]:
    """What a select may read: relation -> column -> SQL type. Personal data is not in it."""
    found = {}
    for fact in FACTS.values():
        found[fact.name] = {
            "one_id": "varchar",
            "happened_at": "timestamp",
            "happened_on": "date",
            "as_of": "timestamp",
            **{name: SQL_TYPES[of_type] for name, of_type in fact.types.items()},
        }
    found[PERSONS] = {
        "one_id": "varchar",
        "as_of": "timestamp",
        **{n: SQL_TYPES[p.type] for n, p in PROFILE.items() if not p.is_personal},
    }
    return found


def read_query(section: Section, value_type: ValueType) -> Given:
    """The select under `sql`, which must return one_id and value.

    Raises ConfigurationError with file and line where it does not parse, reads or calls what it may
    not, or returns something else. DuckDB parses and binds it over empty tables.
    """
    import duckdb

    text = section.text("sql").strip().rstrip(";").rstrip()
    if value_type not in _VALUE_TYPES:
        raise section.error_at("value_type", f"a select cannot give {value_type}")
    if any(opening in text for opening in ("{{", "{%", "{#")):
        raise section.error_at("sql", "the select is plain SQL: no Jinja; the moment is as_of")
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        tree = _parse(section, connection, text)
        names = _relation_names(section, tree)
        _check_functions(section, connection, tree)
        _check_result(section, connection, text, value_type)
    return Given(Query(section.text("id"), text, tuple(_reads(tree, names))))


def _parse(section: Section, connection: "DuckDBPyConnection", text: str) -> dict[str, Any]:
    found = connection.execute("select json_serialize_sql(?)", [text]).fetchone()
    parsed: dict[str, Any] = json.loads(found[0] if found else "{}")
    if parsed["error"]:
        raise section.error_at("sql", f"the select cannot be read: {parsed['error_message']}")
    if len(parsed["statements"]) != 1:
        raise section.error_at("sql", "one select only")
    return parsed


def _relation_names(section: Section, tree: dict[str, Any]) -> set[str]:
    """The relations read; a name of a WITH clause is none."""
    local = {
        entry["key"]
        for node in _nodes(tree)
        for entry in (node.get("cte_map") or {}).get("map", ())
    }
    names = set()
    allowed = relations()
    for node in _nodes(tree):
        if node.get("type") == "TABLE_FUNCTION":
            called = node["function"]["function_name"]
            raise section.error_at("sql", f"{called}() as a table: a select reads facts only")
        if node.get("sample"):
            raise section.error_at("sql", "a sample differs from run to run")
        if node.get("type") != "BASE_TABLE" or node["table_name"] in local:
            continue
        name = ".".join(
            p for p in (node["catalog_name"], node["schema_name"], node["table_name"]) if p
        )
        if name not in allowed:
            raise section.error_at("sql", f"reads {name!r}, allowed are {', '.join(allowed)}")
        names.add(name)
    return names


def _check_functions(
    section: Section, connection: "DuckDBPyConnection", tree: dict[str, Any]
) -> None:
    """Refuse what gives another result in the next run on the same data."""
    unsteady = {
        name
        for (name,) in connection.execute(
            "select distinct function_name from duckdb_functions()"
            " where stability is not null and stability <> 'CONSISTENT'"
        ).fetchall()
    }
    for node in _nodes(tree):
        named = node["column_names"][-1] if node.get("type") == "COLUMN_REF" else ""
        called = str(node.get("function_name", "")).lower()
        if called in unsteady or called in _BY_CHANCE:
            raise section.error_at("sql", f"{called}() differs between runs; the moment is as_of")
        if named.lower() in _CLOCK:
            raise section.error_at("sql", f"{named} differs between runs; the moment is as_of")


def _check_result(
    section: Section, connection: "DuckDBPyConnection", text: str, value_type: ValueType
) -> None:
    import duckdb

    for name, columns in relations().items():
        listed = ", ".join(f"{column} {kind}" for column, kind in columns.items())
        connection.execute(f"create table {name} ({listed})")
    try:
        described = connection.execute(f"describe {text}").fetchall()
    except duckdb.Error as error:
        first = str(error).splitlines()[0]
        raise section.error_at("sql", f"the select cannot be run: {first}") from error
    found = {row[0]: row[1] for row in described}
    if list(found) != ["one_id", "value"] or found["one_id"] != "VARCHAR":
        raise section.error_at(
            "sql", f"returns {', '.join(found)}; expected one_id (varchar) and value"
        )
    if found["value"].split("(")[0] not in _VALUE_TYPES[value_type]:
        raise section.error_at("sql", f"value is {found['value']}, value_type says {value_type}")


def _reads(tree: dict[str, Any], names: set[str]) -> Iterator[tuple[str, str]]:
    """The (relation, column) that the select names; all of a relation where it says `*`."""
    named = {node["column_names"][-1] for node in _nodes(tree) if node.get("type") == "COLUMN_REF"}
    is_everything = any(node.get("type") == "STAR" for node in _nodes(tree))
    for name in sorted(names):
        columns = relations()[name]
        yield from ((name, c) for c in sorted(columns) if is_everything or c in named)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)
