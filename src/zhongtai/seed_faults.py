"""What is wrong with a seed, in words: its columns, a value of another type, a rule that it breaks.

dbt reads the files as well, but takes a column of another name for a new one, and tells of the rest
what the engine says.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from zhongtai.errors import ConfigurationError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_HINT = "mend the file and run again; what its columns mean stands beside it ({name}.yml)"
_SEED = "seed."


def check_seeds(build: "DuckDBPyConnection", project_dir: Path) -> None:
    """Hold the header, the width of the rows and the values against the declared columns.

    Raises ConfigurationError that names file and line. Seeds without declared types are left alone.
    """
    for document in sorted((project_dir / "seeds").glob("*.yml")):
        for seed in (yaml.safe_load(document.read_text("utf-8")) or {}).get("seeds", ()):
            types = seed.get("config", {}).get("column_types") or {}
            file = document.with_name(f"{seed['name']}.csv")
            if types and file.exists():
                _check_file(build, file, types)


def _check_file(build: "DuckDBPyConnection", file: Path, types: Mapping[str, str]) -> None:
    rows = list(_read(file))
    _, header = rows[0] if rows else (1, [])
    if header != list(types):
        raise _wrong(file, 1, f"the columns are {', '.join(header)}; expected {', '.join(types)}")
    for line, row in rows[1:]:
        if row and len(row) != len(header):
            raise _wrong(file, line, f"{len(row)} fields, expected {len(header)} as in the header")
    for place, (column, kind) in enumerate(types.items()):
        values = [(line, row[place]) for line, row in rows[1:] if row and row[place]]
        found = build.execute(
            "select line, value from (select unnest(?::integer[]) as line,"  # noqa: S608  # declared
            f" unnest(?::varchar[]) as value) where try_cast(value as {kind}) is null"
            " order by line limit 1",
            [[line for line, _ in values], [value for _, value in values]],
        ).fetchone()
        if found:
            raise _wrong(file, found[0], f"{column} is {found[1]!r}, expected {_words(kind)}")


def _read(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows with the line on which each ends."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened)
            for row in reader:
                yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise _wrong(file, 1, f"it is no CSV in UTF-8: {error}") from error


def _words(kind: str) -> str:
    words = {
        "date": "a date like 2026-03-31",
        "boolean": "true or false",
        "integer": "a whole number",
        "bigint": "a whole number",
        "double": "a number",
    }
    return words.get(kind, f"a value of type {kind}")


def _wrong(file: Path, line: int, what: str) -> ConfigurationError:
    return ConfigurationError(f"{file}:{line}: {what}", hint=_HINT.format(name=file.stem))


def describe_broken_rules(
    build: "DuckDBPyConnection", project_dir: Path, failed: Sequence[Any]
) -> ConfigurationError | None:
    """What dbt's failed results say of seeds, in words; None where they speak of anything else."""
    if not failed or not all(_is_rule_of_seed(result) for result in failed):
        return None
    told = [_tell(build, project_dir, result) for result in failed]
    names = sorted({_seed_of(result) for result in failed})
    return ConfigurationError("\n  ".join(told), hint=_HINT.format(name=names[0]))


def _is_rule_of_seed(result: Any) -> bool:
    reads = result.node.depends_on_nodes
    is_rule = result.node.resource_type == "test" and str(result.status) == "fail"
    return is_rule and bool(reads) and all(name.startswith(_SEED) for name in reads)


def _seed_of(result: Any) -> str:
    named = getattr(result.node, "attached_node", None) or result.node.depends_on_nodes[-1]
    return str(named).rsplit(".", 1)[-1]


def _tell(build: "DuckDBPyConnection", project_dir: Path, result: Any) -> str:
    file = project_dir / "seeds" / f"{_seed_of(result)}.csv"
    cursor = build.execute(result.node.compiled_code)
    names = [column[0] for column in cursor.description or ()]
    row = dict(zip(names, cursor.fetchone() or (), strict=False))
    rule, given = result.node.test_metadata.name, result.node.test_metadata.kwargs
    column = given.get("column_name")
    match rule:
        case "accepted_values":
            expected = ", ".join(map(str, given["values"]))
            return f"{file}: {column} is {row.get('value_field')!r}, expected one of {expected}"
        case "not_null":
            return f"{file}: {column} is empty in the row {_line(row)}"
        case "unique":
            return f"{file}: {column} {row.get('unique_field')!r} stands more than once"
        case "holds":
            return f"{file}: expected {given['condition']!r}, which is not so in {_line(row)}"
        case "unique_key":
            keys = ", ".join(given["columns"])
            return f"{file}: {keys} must be there, and different in each row: {_line(row)}"
    return f"{file}: {column or ''} breaks the rule {rule}: {_line(row)}"


def _line(row: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items() if value is not None)
