"""Pairs of rows with the probability that they are one person, and what speaks for it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.identity.matching.blocking import (
    BlockReport,
    block_pairs,
    keep_blocks,
    list_blocks,
    pair_among,
)
from zhongtai.identity.matching.declaration import Declaration, Sufficiency, check_declaration
from zhongtai.identity.matching.engine import drop_temporary, open_linker, splink_settings
from zhongtai.identity.matching.features import prepare_features
from zhongtai.identity.matching.frequencies import attach_frequencies
from zhongtai.identity.matching.levels import level_labels, weighed_features
from zhongtai.identity.matching.model import Model, check_model

if TYPE_CHECKING:
    import duckdb
    from splink import Linker

# ruff: noqa: S608  # names of features, quoted


@dataclass(frozen=True)
class ScoreReport:
    """What was compared. `pairs` counts those kept, from the declared floor up."""

    rows: int
    compared: int
    pairs: int
    blocking: tuple[BlockReport, ...]


def score_pairs(  # noqa: PLR0913
    connection: "duckdb.DuckDBPyConnection",
    relation: str,
    declaration: Declaration,
    model: Model,
    *,
    into: str = "matching_pairs",
    number: str | None = None,
    among: str | None = None,
) -> ScoreReport:
    """Compare the rows of a relation and write the temp table `into`, one row per pair.

    Columns: left_key and right_key (left is the smaller), probability, match_weight (log2 of the
    odds), is_sufficient (whether the declaration lets the pair be joined), and per comparison
    `level_<name>` (see `level_labels`) and `weight_<name>`, its part of the match weight.
    Deterministic: the model decides, not the other rows or their order.
    No other table is left behind, also after an error.

    `number` names a column of whole numbers, one for each row: then the pairs have left_no and
    right_no as well, and the temp table `matching_blocks` (rule, block, given_no) says who shares a
    block with whom. `among` is a relation of such pairs (left_no, right_no), each once: these are
    compared then, whatever blocks they share.
    """
    check_declaration(declaration)
    check_model(model, declaration)
    try:
        prepared = prepare_features(connection, relation, declaration, number)
        attach_frequencies(connection, declaration, dict(model.frequencies), kind="view")
        blocking: tuple[BlockReport, ...] = ()
        if among:
            pair_among(connection, among)
        else:
            blocking = block_pairs(connection, declaration, prepared.list_columns)
            if number:
                keep_blocks(connection)
            connection.execute("drop table matching__blocks")
        compared = _count(connection, "matching__blocked")
        settings = splink_settings(declaration, prepared.list_columns, model)
        with open_linker(connection, "matching__input", settings) as linker:
            scored = _predict(connection, linker, declaration)
            _write_pairs(connection, scored, declaration, into, number)
    finally:
        drop_temporary(connection, "matching__")
    return ScoreReport(prepared.rows, compared, _count(connection, into), blocking)


def _predict(
    connection: "duckdb.DuckDBPyConnection", linker: "Linker", declaration: Declaration
) -> str:
    """Have Splink score the blocked pairs; returns the name of its table."""
    skip_counting(connection, linker, declaration)
    linker.table_management.register_blocked_pairs_for_predict(
        linker._db_api.register("matching__blocked", dataset_display_name="blocked")
    )
    return str(
        linker.inference.predict(
            threshold_match_probability=declaration.thresholds.floor or None,
            warning_mode="never",
        ).physical_name
    )


def block_rows(
    connection: "duckdb.DuckDBPyConnection", relation: str, declaration: Declaration, number: str
) -> None:
    """Write the temp table `matching_blocks` (rule, block, given_no) of a relation's rows."""
    try:
        prepared = prepare_features(connection, relation, declaration, number)
        list_blocks(connection, declaration, prepared.list_columns)
        keep_blocks(connection)
    finally:
        drop_temporary(connection, "matching__")


def skip_counting(
    connection: "duckdb.DuckDBPyConnection", linker: "Linker", declaration: Declaration
) -> None:
    """Give Splink empty tables of term frequencies: the input has its columns already."""
    weighed = [f for c in declaration.comparisons for f in weighed_features(c)]
    for number, feature in enumerate(weighed):
        table = f"matching__counted_{number}"
        connection.execute(
            f'create or replace temp table {table} ("{feature}" varchar, "tf_{feature}" double)'
        )
        linker.table_management.register_term_frequency_lookup(
            linker._db_api.register(table), feature
        )


def _write_pairs(
    connection: "duckdb.DuckDBPyConnection",
    scored: str,
    declaration: Declaration,
    into: str,
    number: str | None,
) -> None:
    explained = ["l.given_no as left_no, r.given_no as right_no"] if number else []
    for comparison in declaration.comparisons:
        weight = f'"mw_{comparison.name}"'
        if comparison.term_frequencies:
            weight += f' + "mw_tf_adj_{comparison.name}"'
        explained.append(f'"gamma_{comparison.name}"::tinyint as "level_{comparison.name}"')
        explained.append(f'{weight} as "weight_{comparison.name}"')
    connection.execute(
        f"create or replace temp table {into} as"
        " select l.row_key as left_key, r.row_key as right_key,"
        " s.match_probability as probability, s.match_weight,"
        f" {_sufficient(declaration)} as is_sufficient, {', '.join(explained)}"
        f" from {scored} as s"
        " inner join matching__features as l on l.row_no = s.row_no_l"
        " inner join matching__features as r on r.row_no = s.row_no_r"
    )


def _sufficient(declaration: Declaration) -> str:
    """The condition under which a pair may be joined, over Splink's levels."""
    numbers = {
        name: {label: number for number, label in labels.items()}
        for name, labels in level_labels(declaration).items()
    }

    def any_of(entries: tuple[Sufficiency, ...]) -> str:
        spelled = (
            " and ".join(
                f'"gamma_{name}" in ({", ".join(str(numbers[name][level]) for level in levels)})'
                for name, levels in entry
            )
            for entry in entries
        )
        return "(" + (" or ".join(f"({entry})" for entry in spelled) or "true") + ")"

    condition = any_of(declaration.sufficient)
    if declaration.stricter:
        besides = any_of(declaration.stricter.sufficient)
        condition += f" and (not (l.is_doubtful or r.is_doubtful) or {besides})"
    return condition


def _count(connection: "duckdb.DuckDBPyConnection", table: str) -> int:
    row = connection.execute(f"select count(*) from {table}").fetchone()
    return int(row[0]) if row else 0
