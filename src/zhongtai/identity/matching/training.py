"""Training: a deliberate act that ends in a model file; scoring never learns anything."""

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zhongtai.errors import ConfigurationError
from zhongtai.identity.matching.declaration import HINT, Declaration, check_declaration
from zhongtai.identity.matching.engine import drop_temporary, open_linker, splink_settings
from zhongtai.identity.matching.features import block_features, prepare_features
from zhongtai.identity.matching.frequencies import attach_frequencies, count_frequencies
from zhongtai.identity.matching.levels import levels_of
from zhongtai.identity.matching.model import Frequencies, Model, Weighed

if TYPE_CHECKING:
    import duckdb
    from splink import Linker

# ruff: noqa: S608  # relations and features, quoted

# No level is impossible, however small the sample it was not met in.
LEAST_M = 1e-4

_Levels = dict[str, tuple[Weighed, ...]]


def train(
    connection: "duckdb.DuckDBPyConnection",
    relation: str,
    declaration: Declaration,
    labels: str | None = None,
    *,
    description: str = "",
) -> Model:
    """Train a model on a relation of this connection.

    `labels` is a relation (key, person) that says for rows of the input which person they are;
    where it is given, agreement among pairs of one person is counted on it, else estimated by
    expectation maximisation as the declaration's `training` says. The same input in any order
    gives the same model but for `trained_at`.
    Raises ConfigurationError where the declaration does not suffice to train.
    """
    from importlib.metadata import version

    _check_training(declaration, has_labels=bool(labels))
    try:
        prepared = prepare_features(connection, relation, declaration)
        frequencies = count_frequencies(connection, declaration)
        attach_frequencies(connection, declaration, frequencies)
        if labels:
            _attach_labels(connection, labels, declaration)
        settings = splink_settings(declaration, prepared.list_columns)
        by_chance = _measure_chance(connection, declaration, settings, has_labels=bool(labels))
        prior, labelled = _estimate_prior(
            connection, declaration, prepared.rows, has_labels=bool(labels)
        )
        settings["probability_two_random_records_match"] = prior
        levels = _measure_agreement(
            connection, declaration, settings, by_chance, has_labels=bool(labels)
        )
    finally:
        drop_temporary(connection, "matching__")
    return Model(
        declaration=declaration.name,
        declaration_hash=declaration.content_hash,
        splink=version("splink"),
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
        trained_on=description or relation,
        rows=prepared.rows,
        labels=labelled,
        prior=_rounded(_scale_prior(prior, prepared.rows, declaration)),
        comparisons=levels,
        frequencies=_without_noise(frequencies),
    )


def _check_training(declaration: Declaration, *, has_labels: bool) -> None:
    check_declaration(declaration)
    training = declaration.training
    if not has_labels and not (training.sessions and training.certain):
        raise ConfigurationError(
            f"{declaration.name} declares no training sessions or no certain blocks,"
            " and no labels were given",
            hint=HINT,
        )


def _attach_labels(
    connection: "duckdb.DuckDBPyConnection", labels: str, declaration: Declaration
) -> None:
    connection.execute(
        "create or replace temp table matching__labelled as"
        " select i.*, dense_rank() over (order by l.person) as label"
        f" from matching__input as i inner join {labels} as l"
        f' on l."{declaration.key}" = i.row_key where l.person is not null'
    )


def _measure_chance(
    connection: "duckdb.DuckDBPyConnection",
    declaration: Declaration,
    settings: dict[str, Any],
    *,
    has_labels: bool,
) -> dict[str, list[float]]:
    """How often the pairs of two persons agree at each level: counted on random pairs.

    All pairs of a sample of rows that is chosen by hash, so that it is the same in every run.
    With labels it holds one row of a person; without, pairs of one person are rare among all.
    """
    rows = "matching__input"
    if has_labels:
        rows = (
            "(select * exclude (label) from matching__labelled"
            " qualify row_number() over (partition by label order by hash(row_no), row_no) = 1)"
        )
    size = math.isqrt(2 * declaration.training.pairs) + 1
    connection.execute(
        f"create or replace temp table matching__sample as select * from {rows}"
        f" order by hash(row_no), row_no limit {size}"
    )
    with open_linker(connection, "matching__sample", settings) as linker:
        linker.training.estimate_u_using_random_sampling(max_pairs=float(size) * size, seed=None)
        found = _read_levels(linker, "u_probability")
    least = 1 / declaration.training.pairs
    return {
        # where no pair had the attribute on both sides, no level says anything
        name: [max(u, least) for u in values] if any(values) else [1 / len(values)] * len(values)
        for name, values in found.items()
    }


def _estimate_prior(
    connection: "duckdb.DuckDBPyConnection",
    declaration: Declaration,
    rows: int,
    *,
    has_labels: bool,
) -> tuple[float, int]:
    """The probability that two random rows are one person, and the number of labelled pairs."""
    all_pairs = max(rows * (rows - 1) / 2, 1.0)
    if has_labels:
        row = connection.execute(
            "select coalesce(sum(n * (n - 1) // 2), 0)::bigint, sum(n)::bigint"
            " from (select count(*) as n from matching__labelled group by label)"
        ).fetchone()
        pairs, labelled = (int(row[0]), int(row[1] or 0)) if row else (0, 0)
        if not pairs:
            raise ConfigurationError(
                "no two labelled rows are one person", hint="labels are (key, person)"
            )
        return pairs / (labelled * (labelled - 1) / 2), pairs
    rules = " union ".join(
        f"select l.row_no, r.row_no from matching__input as l inner join matching__input as r"
        f" on l.row_no < r.row_no and {_equal(rule)}"
        for rule in _rules(declaration, declaration.training.certain)
    )
    row = connection.execute(f"select count(*) from ({rules})").fetchone()
    certain = int(row[0]) if row else 0
    if not certain:
        raise ConfigurationError(
            f"the certain blocks of {declaration.name} hold no two rows: nothing to learn from",
            hint="give labels, or certain blocks that some pairs of one person share",
        )
    return min(certain / declaration.training.recall / all_pairs, 0.5), 0


def _measure_agreement(
    connection: "duckdb.DuckDBPyConnection",
    declaration: Declaration,
    settings: dict[str, Any],
    by_chance: dict[str, list[float]],
    *,
    has_labels: bool,
) -> _Levels:
    """How often pairs of one person agree at each level, beside how often two persons do."""
    for comparison in settings["comparisons"]:
        chances = by_chance[comparison["output_column_name"]]
        for level, u in zip(comparison["comparison_levels"][1:], chances, strict=True):
            level["u_probability"] = u
    table = "matching__labelled" if has_labels else "matching__input"
    with open_linker(connection, table, settings) as linker:
        if has_labels:
            linker.training.estimate_m_from_label_column("label")
        else:
            for rule in _rules(declaration, declaration.training.sessions):
                linker.training.estimate_parameters_using_expectation_maximisation(
                    _equal(rule), estimate_without_term_frequencies=True
                )
        agreement = _read_levels(linker, "m_probability")
    for name, values in agreement.items():
        if any(values):
            continue
        if not has_labels and len(set(by_chance[name])) > 1:
            raise ConfigurationError(
                f"no training session of {declaration.name} tells anything about {name}",
                hint="add a session that blocks on other features",
            )
        agreement[name] = by_chance[name]
    return {
        comparison.name: tuple(
            Weighed(label, _rounded(max(m, LEAST_M)), _rounded(u))
            for label, m, u in zip(
                (*(level.label for level in levels_of(comparison)), "different"),
                agreement[comparison.name],
                by_chance[comparison.name],
                strict=True,
            )
        )
        for comparison in declaration.comparisons
    }


def _read_levels(linker: "Linker", probability: str) -> dict[str, list[float]]:
    """What Splink estimated, per comparison and level, best level first; 0 where it could not."""
    found: dict[str, list[float]] = {}
    for comparison in linker.misc.save_model_to_json(out_path=None)["comparisons"]:
        levels = [one for one in comparison["comparison_levels"] if not one.get("is_null_level")]
        values = [level.get(probability) for level in levels]
        found[comparison["output_column_name"]] = [
            float(value) if isinstance(value, int | float) else 0.0 for value in values
        ]
    return found


def _rules(declaration: Declaration, rules: tuple[tuple[str, ...], ...]) -> list[tuple[str, ...]]:
    known = block_features(declaration)
    return [tuple(known[reference].name for reference in rule) for rule in rules]


def _equal(features: tuple[str, ...]) -> str:
    return " and ".join(f'l."{feature}" = r."{feature}"' for feature in features)


def _scale_prior(prior: float, rows: int, declaration: Declaration) -> float:
    """The prior among `population` rows: the partners of a row stay as many, others multiply."""
    population = max(declaration.population or rows, 2)
    return min(prior * max(rows - 1, 1) / (population - 1), 0.5)


def _without_noise(frequencies: dict[str, Frequencies]) -> dict[str, Frequencies]:
    return {name: frequencies[name] for name in sorted(frequencies)}


def _rounded(number: float) -> float:
    """Six digits: sums over threads differ behind them."""
    return float(f"{number:.6g}")
