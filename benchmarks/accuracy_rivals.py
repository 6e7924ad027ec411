"""What others would do with the same rows: Splink as its examples show it, plain components."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from zhongtai.identity import label_components
from zhongtai.identity.matching import Declaration, Model, score_pairs

Method = Callable[[pa.Table], pa.Table]


def equal_identifiers(key: str, identifiers: Sequence[Sequence[str]]) -> Method:
    """Connected components: rows are one person if they agree in all columns of one identifier."""

    def resolve(rows: pa.Table) -> pa.Table:
        import duckdb

        numbered = rows.append_column("number", pa.array(np.arange(rows.num_rows)))
        with duckdb.connect() as connection:
            connection.register("numbered", numbered)
            edges = []
            for columns in identifiers:
                values = ", ".join(f'"{column}"' for column in columns)
                known = " and ".join(f'"{column}" is not null' for column in columns)
                edges.append(
                    f"select number, min(number) over (partition by {values}) as first"  # noqa: S608  # our own
                    f" from numbered where {known}"
                )
            found = connection.execute(" union all ".join(edges)).fetchnumpy()
        return _components(rows[key], found["number"], found["first"])

    return resolve


def equal_values(keys: pa.ChunkedArray, rows: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.Table:
    """Connected components: rows that name one value are one person, whatever the value is."""
    import pyarrow.compute as pc

    numbers = pc.index_in(rows, value_set=keys.combine_chunks())
    is_known = pc.is_valid(numbers)
    named = pc.index_in(values, value_set=pc.unique(values)).filter(is_known).to_numpy()
    labels = label_components(
        numbers.filter(is_known).to_numpy(), named + len(keys), len(keys) + len(values)
    )
    return pa.table({"row_key": keys, "cluster": labels[: len(keys)]})


def components_of_our_pairs(declaration: Declaration, model: Model) -> Method:
    """Our pairs from the accept threshold up, joined without linkage and without more ado."""

    def resolve(rows: pa.Table) -> pa.Table:
        import duckdb

        with duckdb.connect() as connection:
            connection.register("rows", rows)
            score_pairs(connection, "rows", declaration, model)
            pairs = connection.execute(
                "select left_key, right_key from matching_pairs where probability >= ?",
                [declaration.thresholds.accept],
            ).to_arrow_table()
        return _join(rows[declaration.key], pairs["left_key"], pairs["right_key"])

    return resolve


def splink_as_documented(example: str, threshold: float) -> Method:
    """Splink's own febrl3 or febrl4 example, its clusters at a threshold of match probability.

    febrl4 links two lists, as documented: they are told apart by -org and -dup.
    """
    build = {"febrl3": _febrl3, "febrl4": _febrl4}[example]

    def resolve(rows: pa.Table) -> pa.Table:
        logging.getLogger("splink").setLevel(logging.ERROR)
        return _join(rows["rec_id"], *build(rows, threshold))

    return resolve


def _febrl3(rows: pa.Table, threshold: float) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    settings = SettingsCreator(
        unique_id_column_name="rec_id",
        link_type="dedupe_only",
        blocking_rules_to_generate_predictions=[
            block_on("soc_sec_id"),
            block_on("given_name"),
            block_on("surname"),
            block_on("date_of_birth"),
            block_on("postcode"),
        ],
        comparisons=[
            cl.NameComparison("given_name"),
            cl.NameComparison("surname"),
            cl.DateOfBirthComparison(
                "date_of_birth", input_is_string=True, datetime_format="%Y%m%d"
            ),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        ],
    )
    linker = Linker(DuckDBAPI().register(rows), settings, log_level=logging.ERROR)
    certain = [
        block_on("soc_sec_id"),
        block_on("given_name", "surname", "date_of_birth"),
        "l.given_name = r.surname and l.surname = r.given_name"
        " and l.date_of_birth = r.date_of_birth",
    ]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.9)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=2)
    for column in ("date_of_birth", "postcode"):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(column))
    return _predicted(linker, threshold)


def _febrl4(rows: pa.Table, threshold: float) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    import pyarrow.compute as pc
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    settings = SettingsCreator(
        unique_id_column_name="rec_id",
        link_type="link_only",
        blocking_rules_to_generate_predictions=[
            block_on("given_name", "surname"),
            "l.given_name = r.surname and l.surname = r.given_name",
            block_on("date_of_birth"),
            block_on("soc_sec_id"),
            block_on("state", "address_1"),
            block_on("street_number", "address_1"),
            block_on("postcode"),
        ],
        comparisons=[
            cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
            cl.NameComparison("surname").configure(term_frequency_adjustments=True),
            cl.DateOfBirthComparison(
                "date_of_birth",
                input_is_string=True,
                datetime_format="%Y%m%d",
                invalid_dates_as_null=True,
            ),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(
                term_frequency_adjustments=True
            ),
        ],
    )
    is_original = pc.ends_with(rows["rec_id"], "org")
    api = DuckDBAPI()
    lists = [api.register(rows.filter(kept)) for kept in (is_original, pc.invert(is_original))]
    linker = Linker(lists, settings, log_level=logging.ERROR)
    certain = [block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth")]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=2)
    for column in ("date_of_birth", "postcode"):
        linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(column), estimate_without_term_frequencies=True
        )
    return _predicted(linker, threshold)


def splink_for_persons(threshold: float) -> Method:
    """Splink's comparisons for persons, with all identifiers that a record may have.

    Columns: row_key, name, birth_date (text), city, mobile, email and, as they are, id_card,
    login_id, unionid. Its documentation has no settings for such records; these follow its guide:
    the library's comparison for each kind, frequencies where values are unequally common, trained
    on pairs that share a certain identifier.
    """

    def resolve(rows: pa.Table) -> pa.Table:
        import splink.comparison_library as cl
        from splink import DuckDBAPI, Linker, SettingsCreator, block_on

        logging.getLogger("splink").setLevel(logging.ERROR)
        exact = ("id_card", "login_id", "unionid")
        settings = SettingsCreator(
            unique_id_column_name="row_key",
            link_type="dedupe_only",
            blocking_rules_to_generate_predictions=[
                *(block_on(column) for column in (*exact, "mobile", "email")),
                block_on("name", "birth_date"),
                block_on("name", "city"),
            ],
            comparisons=[
                cl.NameComparison("name").configure(term_frequency_adjustments=True),
                cl.DateOfBirthComparison("birth_date", input_is_string=True),
                cl.ExactMatch("mobile").configure(term_frequency_adjustments=True),
                cl.EmailComparison("email"),
                cl.ExactMatch("city").configure(term_frequency_adjustments=True),
                *(cl.ExactMatch(column) for column in exact),
            ],
        )
        linker = Linker(DuckDBAPI().register(rows), settings, log_level=logging.ERROR)
        linker.training.estimate_probability_two_random_records_match(
            [block_on(column) for column in exact], recall=0.6
        )
        linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=2)
        for column in exact:
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(column))
        pairs = linker.inference.predict(threshold_match_probability=threshold).as_pyarrow_table()
        return _join(rows["row_key"], pairs["row_key_l"], pairs["row_key_r"])

    return resolve


def _predicted(linker: Any, threshold: float) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    pairs = linker.inference.predict(threshold_match_probability=threshold).as_pyarrow_table()
    return pairs["rec_id_l"], pairs["rec_id_r"]


def _join(keys: pa.ChunkedArray, left: pa.ChunkedArray, right: pa.ChunkedArray) -> pa.Table:
    import pyarrow.compute as pc

    known = keys.combine_chunks()
    return _components(
        keys,
        pc.index_in(left, value_set=known).to_numpy(),
        pc.index_in(right, value_set=known).to_numpy(),
    )


def _components(keys: pa.ChunkedArray, left: Any, right: Any) -> pa.Table:
    labels = label_components(left, right, len(keys))
    return pa.table({"row_key": keys, "cluster": labels})
