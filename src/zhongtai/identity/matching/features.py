"""What is compared: each column of the input folded into the features of its comparison.

Everything is one statement over the whole relation. A feature is a column `<comparison>__<part>`
of the temp table `matching__features`; rules refer to it as `<comparison>.<part>`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.identity.matching.declaration import HINT, Comparison, Declaration
from zhongtai.identity.matching.names import NAME_PARTS, write_names

if TYPE_CHECKING:
    import duckdb

# ruff: noqa: S608  # table and column names of the declaration, quoted
_WIDE = "".join(chr(code) for code in range(0xFF01, 0xFF5F)) + "\u3000"
_NARROW = "".join(chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)) + " "

_MACROS = (
    # most texts are as they should be, and looking once is faster than folding
    f"""
create or replace temp macro matching_fold(value) as
case
    when not regexp_matches(value, '[A-Z\\s\u200b-\u200d\ufeff\uff01-\uff5e\u3000]')
    then nullif(value, '')
    when regexp_matches(value, '[\\s\u200b-\u200d\ufeff\uff01-\uff5e\u3000]')
    then nullif(
        lower(
            regexp_replace(
                if(
                    regexp_matches(value, '[\uff01-\uff5e\u3000]'),
                    translate(value, '{_WIDE}', '{_NARROW.replace("'", "''")}'),
                    value
                ),
                '[\\s\u200b-\u200d\ufeff]+', '', 'g'
            )
        ),
        ''
    )
    else lower(value)
end
""",
    # nearly all lists hold one value, and sorting values out is slow
    """
create or replace temp macro matching_tidy(list) as
case
    when len(list) = 1
    then if(list[1] is not null, list, null)
    when len(list) > 1
    then nullif(list_distinct(list), [])
end
""",
    # 138****1234 and +8613812341234 have the tail 138-1234 in common; other texts have none
    """
create or replace temp macro matching_tail(number) as
nullif(
    regexp_replace(
        number, '^(\\+?86)?(1[0-9]{2})[0-9*]{4}([0-9]{4})$', '\\2-\\3'
    ),
    number
)
""",
)


@dataclass(frozen=True)
class Feature:
    """One derived column: SQL over the input's columns; lists hold several values of a row."""

    name: str
    sql: str
    is_list: bool = False


@dataclass(frozen=True)
class Prepared:
    """What was found in the input: its rows, and the columns that hold lists."""

    rows: int
    list_columns: frozenset[str]


def features_of(comparison: Comparison, list_columns: Collection[str] = ()) -> tuple[Feature, ...]:
    """The features of one comparison.

    The columns of a list, mobile or place may hold one text or several: `list_columns` names
    those of the input that hold lists.
    """
    column = _quoted(comparison.columns[0])
    name = comparison.name
    match comparison.kind:
        case "text":
            return (Feature(f"{name}__value", f"matching_fold({column}::varchar)"),)
        case "list":
            return (Feature(f"{name}__value", f"matching_tidy({_folded(column)})", is_list=True),)
        case "date":
            read = f"{column}::date"
            if comparison.format:
                read = f"try_strptime(trim({column}::varchar), '{comparison.format}')::date"
            return (
                Feature(f"{name}__value", read),
                Feature(f"{name}__digits", f"strftime({read}, '%Y%m%d')"),
                Feature(f"{name}__swapped", f"strftime({read}, '%Y%d%m')"),
            )
        case "mobile":
            return _mobile_features(name, _folded(column))
        case "chinese_name":
            joined = f"matching__names_{_identifier(name)}"
            return tuple(Feature(f"{name}__{part}", f"{joined}.{part}") for part in NAME_PARTS)
        case "place":
            return tuple(
                Feature(f"{name}__{c}", f"matching_tidy({_folded(_quoted(c))})", is_list=True)
                if c in list_columns
                else Feature(f"{name}__{c}", f"matching_fold({_quoted(c)}::varchar)")
                for c in comparison.columns
            )
    raise ConfigurationError(f"{name} is a {comparison.kind!r}, which is no comparison", hint=HINT)


def block_features(
    declaration: Declaration, list_columns: Collection[str] = ()
) -> dict[str, Feature]:
    """What rules may refer to, as `<comparison>.<part>`."""
    return {
        feature.name.replace("__", ".", 1): feature
        for comparison in declaration.comparisons
        for feature in features_of(comparison, list_columns)
    }


def prepare_features(
    connection: "duckdb.DuckDBPyConnection",
    relation: str,
    declaration: Declaration,
    number: str | None = None,
) -> Prepared:
    """Write the temp table `matching__features`: row_no by order of the key, key, features.

    `relation` is a table, view or bracketed query of this connection; `number` names a column of
    it that is kept as `given_no`.
    Raises ConfigurationError where a declared column is missing, ZhongtaiError where a key is
    missing or repeated.
    """
    list_columns = _check_input(connection, relation, declaration)
    for macro in _MACROS:
        connection.execute(macro)
    named = [c for c in declaration.comparisons if c.kind == "chinese_name"]
    for comparison in named:
        write_names(
            connection,
            relation,
            _quoted(comparison.columns[0]),
            into=f"matching__names_{_identifier(comparison.name)}",
        )
    joins = [
        f"left join matching__names_{_identifier(c.name)}"
        f" on matching__names_{_identifier(c.name)}.raw = rows.{_quoted(c.columns[0])}"
        for c in named
    ]
    features = [f for c in declaration.comparisons for f in features_of(c, list_columns)]
    columns = ",\n    ".join(f"{f.sql} as {_quoted(f.name)}" for f in features)
    stricter = declaration.stricter
    doubtful = f"coalesce(rows.{_quoted(stricter.where)}, false)" if stricter else "false"
    key = _quoted(declaration.key)
    given = f"rows.{_quoted(number)}" if number else "null::integer"
    # numbered by key, so that the order of the rows decides nothing: keys alone, for a sort carries
    # along whatever else is selected
    connection.execute(
        "create or replace temp table matching__features as"
        f" select n.row_no, rows.{key} as row_key, {given} as given_no,"
        f" {doubtful} as is_doubtful, {columns}"
        f" from {_fold_lists(relation, declaration, list_columns)} as rows"
        f" inner join (select {key} as row_key,"
        f" (row_number() over (order by {key}))::integer as row_no from {relation}) as n"
        f" on n.row_key = rows.{key} {' '.join(joins)}"
    )
    row = connection.execute("select count(*) from matching__features").fetchone()
    return Prepared(int(row[0]) if row else 0, frozenset(list_columns))


def _check_input(
    connection: "duckdb.DuckDBPyConnection", relation: str, declaration: Declaration
) -> set[str]:
    """Raise where the relation does not fit; returns the columns that hold lists."""
    described = connection.execute(f"describe select * from {relation}").fetchall()
    found = [row[0] for row in described]
    missing = [column for column in declaration.columns if column not in found]
    if missing:
        raise ConfigurationError(
            f"{relation} lacks the columns {', '.join(missing)} of {declaration.name};"
            f" it has {', '.join(found)}",
            hint=HINT,
        )
    key = _quoted(declaration.key)
    row = connection.execute(
        f"select count(*) - count({key}), count({key}) - count(distinct {key}) from {relation}"
    ).fetchone()
    if row and any(row):
        raise ZhongtaiError(
            f"the key {declaration.key} of {relation} is missing in {row[0]:,} rows and repeated"
            f" in {row[1]:,}",
            hint="each row to be matched needs a key of its own",
        )
    return {row[0] for row in described if row[1].endswith("[]")}


def _mobile_features(name: str, numbers: str) -> tuple[Feature, ...]:
    full = f"list_filter({numbers}, n -> not contains(n, '*'))"
    masked = f"list_filter({numbers}, n -> contains(n, '*'))"
    tails = "matching_tidy(list_transform({}, n -> matching_tail(n)))"
    return (
        Feature(f"{name}__full", f"matching_tidy({full})", is_list=True),
        Feature(f"{name}__tail", tails.format(numbers), is_list=True),
        Feature(f"{name}__masked", tails.format(masked), is_list=True),
        # a slip of the pen is looked for in the one number of a row, not among several
        Feature(f"{name}__only", f"case when len({full}) = 1 then {full}[1] end"),
    )


def _fold_lists(relation: str, declaration: Declaration, list_columns: Collection[str]) -> str:
    """The relation with each column that is compared as a list once more, its values folded."""
    columns = {
        column: _quoted(column) if column in list_columns else f"[{_quoted(column)}::varchar]"
        for comparison in declaration.comparisons
        for column in comparison.columns
        if comparison.kind in ("list", "mobile") or column in list_columns
    }
    folded = (
        f", list_transform({values}, v -> matching_fold(v)) as {_folded(_quoted(column))}"
        for column, values in columns.items()
    )
    return f"(select *{''.join(folded)} from {relation})"


def _folded(column: str) -> str:
    """The name of a folded list, of a quoted column."""
    return f'{column[:-1]} folded"'


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _identifier(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
