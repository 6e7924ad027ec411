"""Pairs of matching as tables, in masked values: the grey band, and what was joined and why.

People decide about the ones; the others explain who is one person by likeness.
"""

from typing import TYPE_CHECKING

from zhongtai.masks import mask_address_sql, mask_date_sql, mask_name_sql, mask_numbers_sql

if TYPE_CHECKING:
    import duckdb

    from zhongtai.identity.matching import Declaration

# What a reviewer sees of each column of a described cluster.
_MASKS = {
    "name": mask_name_sql("name"),
    "mobiles": mask_numbers_sql("mobiles"),
    "birth_date": mask_date_sql("birth_date"),
    "gender": "gender",
    "province": "province",
    "city": "city",
    "dealer_codes": "array_to_string(dealer_codes, ' ')",
    "address": mask_address_sql("address"),
}
_COLUMNS = (
    "pair_id varchar, source varchar, entity varchar, record_key varchar, other_source varchar,"
    " other_entity varchar, other_record_key varchar, probability double, reason varchar,"
    " comparisons struct(comparison varchar, agreement varchar, weight double, value varchar,"
    " other_value varchar)[]"
)

# A conflict is decided already, by evidence or by people.
_UNDECIDED = """
select left_key, right_key, probability, reason
from matching_undecided
where reason <> 'conflict'
"""

_JOINED = """
select p.left_key, p.right_key, p.probability, 'joined' as reason
from matching_pairs as p
inner join matching_groups as l on p.left_key = l.row_key
inner join matching_groups as r on p.right_key = r.row_key
where l.group_key = r.group_key
"""

_WRITE = """
insert into identity.{table}
with shown as (
    select cluster_key, {masked} from {described}
),
pairs as ({pairs})
select
    left(sha256(u.left_key || chr(30) || u.right_key), 12) as pair_id,
    split_part(u.left_key, chr(31), 1) as source,
    split_part(u.left_key, chr(31), 2) as entity,
    array_to_string(string_split(u.left_key, chr(31))[3:], chr(31)) as record_key,
    split_part(u.right_key, chr(31), 1) as other_source,
    split_part(u.right_key, chr(31), 2) as other_entity,
    array_to_string(string_split(u.right_key, chr(31))[3:], chr(31)) as other_record_key,
    u.probability,
    u.reason,
    [{comparisons}] as comparisons,
from pairs as u
inner join matching_pairs as s using (left_key, right_key)
inner join shown as l on l.cluster_key = u.left_key
inner join shown as r on r.cluster_key = u.right_key
"""


_SCOPE = "(from identity_state.described semi join identity_stirred using (component))"

# Both clusters of a pair are matched anew, or neither is.
_FORGET = """
delete from identity.{table}
where concat_ws(chr(31), source, entity, record_key) in (
    select cluster_key from identity_former
    union all
    select cluster_key from {described}
)
"""


def create_review_pairs(connection: "duckdb.DuckDBPyConnection") -> None:
    """Write identity.review_pairs and identity.matched_pairs without a row."""
    for table in ("review_pairs", "matched_pairs"):
        connection.execute(f"create or replace table identity.{table} ({_COLUMNS})")


def write_review_pairs(
    connection: "duckdb.DuckDBPyConnection", declaration: "Declaration", *, of_all: bool
) -> None:
    """Write identity.review_pairs and identity.matched_pairs from what matching has left.

    Unless `of_all`, only the pairs of clusters in identity_former and identity_stirred are new.

    The record whose key comes first stands for its cluster, as in `cluster_key`, and names the
    pair: the same two records are the same pair in every run.
    """
    from zhongtai.identity.matching import level_labels

    described = "identity_state.described" if of_all else _SCOPE
    if of_all:
        create_review_pairs(connection)
    labels = level_labels(declaration)
    comparisons = []
    for comparison in declaration.comparisons:
        name = comparison.name
        agreement = " ".join(
            f"when {number} then '{label}'" for number, label in labels[name].items()
        )
        comparisons.append(
            f"{{'comparison': '{name}',"
            f""" 'agreement': case s."level_{name}" {agreement} end,"""
            f""" 'weight': round(s."weight_{name}", 2),"""
            f" 'value': {_values('l', comparison.columns)},"
            f" 'other_value': {_values('r', comparison.columns)}}}"
        )
    masked = ", ".join(f'{mask} as "{column}"' for column, mask in _MASKS.items())
    for table, pairs in (("review_pairs", _UNDECIDED), ("matched_pairs", _JOINED)):
        if not of_all:
            connection.execute(_FORGET.format(table=table, described=described))
        connection.execute(
            _WRITE.format(
                table=table,
                pairs=pairs,
                masked=masked,
                described=described,
                comparisons=", ".join(comparisons),
            )
        )


def _values(side: str, columns: tuple[str, ...]) -> str:
    """What is known of the columns; null where nothing is."""
    shown = ", ".join(f"nullif({side}.\"{column}\", '')" for column in columns)
    return f"nullif(concat_ws(', ', {shown}), '')"
