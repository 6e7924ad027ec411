"""The measures of a candidate: names and numbers, nothing of any person."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.quality.drift.scan import scan

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Measures = dict[str, float]
Rows = Iterator[tuple[str, float]]

# Shares of fewer things than this say nothing; so a small world raises no alarm.
_ENOUGH = 100
_ENOUGH_FOR_RATES = 500
_REFUSED = "identity.refused."
# What is 0 where it is not found any more.
_COUNTED = (_REFUSED, "records.")
_RULE = "rule."

# One row each, of the measures by their names.
_TOTALS = (
    """
select
    count(*) as persons,
    sum(records) as records,
    max(records) as largest_person_records,
    count(*) filter (where records = 1) / greatest(count(*), 1) as singleton_share,
from drift_persons
""",
    """
select
    count(*) as identifiers,
    avg(persons) as persons_per_identifier,
    max(persons) as largest_shared_persons,
    sum(persons) / greatest((select count(*) from drift_persons), 1) as identifiers_per_person,
from drift_values
""",
    """
select max(values_held) as largest_person_identifiers
from (select count(*) as values_held from drift_holdings where is_usable group by person)
""",
    """
select
    count(*) / greatest((select count(*) from drift_persons), 1) as refusal_rate,
from identity.refused_links
""",
    """
select
    count(*) filter (where sharing = 'hub') as hubs,
    count(*) filter (where sharing = 'household') as households,
from identity.shared_values
""",
)

# How the candidate differs from the published map; of no use before there is one. A few records
# make any rate, so denominators are no smaller than {enough}.
_CHANGES = (
    """
with counted as (
    select
        count(*) filter (where change = 'merge') as merged,
        count(*) filter (where change in ('split', 'reassign')) as parted,
    from drift_changes
),
base as (
    select
        greatest((select count(*) from drift_records where is_new), {enough}) as arrived,
        greatest((select count(distinct person) from drift_before), {enough}) as known,
)
select
    merged / arrived as merge_rate,
    parted / arrived as split_rate,
    merged / known as merge_share,
    parted / known as split_share,
from counted, base
""",
    """
select coalesce(max(merged), 0) as largest_merge
from (select count(*) as merged from drift_changes where change = 'merge' group by one_id)
""",
    """
select
    count(*) filter (where r.person is not null and r.person <> b.person and c.person is null)
        as churned_records,
    count(*) filter (where r.person <> b.person and c.change is distinct from 'merge')
        / greatest(count(*), {enough}) as rebound_share,
    count(*) filter (where r.person is null) / greatest(count(*), {enough}) as lost_share,
from drift_before as b
left join drift_records as r using (record_hash)
left join (
    select person_before, person, any_value(change) as change
    from drift_changes
    group by person_before, person
) as c on c.person_before = b.person and c.person = r.person
""",
)

# Days of rest are no silence. Days are those of China.
_DELIVERED = """
select
    source || '.' || entity,
    files,
    rows_in,
    epoch(as_of - last_at) / 3600 - 24 * (
        select count(*)
        from seeds.holidays
        where date > (last_at + interval 8 hour)::date and date < (as_of + interval 8 hour)::date
    ),
from (
    select source, entity, count(*) as files, sum(rows_in) as rows_in, max(delivered_at) as last_at
    from meta.deliveries
    where status = 'loaded'
    group by source, entity
)
cross join meta.run_context
order by all
"""
_IS_AFTER_HOLIDAY = """
select count(*) > 0
from seeds.holidays
cross join meta.run_context
where
    date between (as_of + interval 8 hour)::date - 1 and (as_of + interval 8 hour)::date
"""
_METRICS = {
    "metrics.leads_created": "select sum(leads_created) from metrics.metrics_lead_funnel_daily",
    "metrics.leads_valid": "select sum(leads_valid) from metrics.metrics_lead_funnel_daily",
    "metrics.complaints": "select sum(accepted) from metrics.metrics_complaint_daily",
    "metrics.tags_held": "select sum(users) from metrics.metrics_tag_daily"
    " where date = (select max(date) from metrics.metrics_tag_daily)",
    "metrics.rows_loaded": "select sum(rows_loaded) from metrics.meta_ledger",
}

# Measures that a limit may name: those that do not depend on what is delivered.
FIXED = frozenset(
    {
        *(f"identity.{name}" for name in (
            "persons", "records", "largest_person_records", "singleton_share", "identifiers",
            "persons_per_identifier", "largest_shared_persons", "identifiers_per_person",
            "largest_person_identifiers", "refusal_rate", "hubs", "households",
            "merge_rate", "split_rate", "merge_share", "split_share", "largest_merge",
            "churned_records", "rebound_share", "lost_share",
        )),
        *_METRICS,
    }
)  # fmt: skip


def measure_identity(
    connection: "DuckDBPyConnection", previous: Path | None, run_id: str
) -> Measures:
    """The measures of the candidate's identities; leaves the temp tables of `scan`.

    `previous` is the record_map.parquet of the last published snapshot: without it there is
    nothing that changed.
    """
    scan(connection, previous, run_id)
    found: Measures = {}
    queries = [*_TOTALS, *(_CHANGES if previous else ())]
    for query in queries:
        found.update(_name_columns(connection, query.format(enough=_ENOUGH_FOR_RATES)))
    for reason, count in connection.execute(
        "select reason, count(*) from identity.refused_links group by reason"
    ).fetchall():
        found[f"{_REFUSED}{reason}"] = float(count)
    found.update(_measure_entities(connection, has_past=previous is not None))
    if previous:
        found.update(_measure_types(connection))
    return found


def complete(measures: Measures, last: Mapping[str, float]) -> Measures:
    """The measures with a 0 for each entity and reason of refusals gone since `last`."""
    return {**{name: 0.0 for name in last if name.startswith(_COUNTED)}, **measures}


def list_changed_rules(measures: Measures, last: Mapping[str, float]) -> list[str]:
    """The settings of seeds/identifiers.csv, as type.setting, that differ from those of `last`."""
    names = {name for name in {*measures, *last} if name.startswith(_RULE)}
    changed = (name for name in names if measures.get(name) != last.get(name, measures.get(name)))
    return sorted(name.removeprefix(_RULE) for name in changed)


def measure_metrics(connection: "DuckDBPyConnection") -> Measures:
    """The totals of the metric tables; what they give as NULL is 0."""
    found = {}
    for name, query in _METRICS.items():
        row = connection.execute(query).fetchone()
        found[name] = float(row[0] or 0) if row else 0.0
    return found


def measure_deliveries(connection: "DuckDBPyConnection", last: Mapping[str, float]) -> Measures:
    """Files and rows by entity, ever and (where there was a file) since the last snapshot.

    `last` are the measures of the last published snapshot.
    """
    found: Measures = {}
    for entity, files, rows, silent in connection.execute(_DELIVERED).fetchall():
        found[f"files.{entity}"], found[f"delivered.{entity}"] = float(files), float(rows)
        found[f"silent_hours.{entity}"] = max(float(silent), 0.0)
        if last and files > last.get(f"files.{entity}", 0.0):
            found[f"rows.{entity}"] = max(rows - last.get(f"delivered.{entity}", 0.0), 0.0)
    return found


def is_after_holiday(connection: "DuckDBPyConnection") -> bool:
    """Whether a public holiday of seeds/holidays.csv may be what was delivered last.

    A day is exported on its evening or on the next morning.
    """
    row = connection.execute(_IS_AFTER_HOLIDAY).fetchone()
    return bool(row and row[0])


def measure_rules(connection: "DuckDBPyConnection") -> Measures:
    """The settings of seeds/identifiers.csv as the candidate was built with, texts by a hash.

    Not judged: a rule that changed explains what else did.
    """
    cursor = connection.execute("select * exclude (because) from seeds.identifiers")
    columns = [column[0] for column in cursor.description or ()]
    found: Measures = {}
    for row in cursor.fetchall():
        settings = dict(zip(columns, row, strict=True))
        kind = settings.pop("identifier_type")
        for name, value in settings.items():
            found[f"{_RULE}{kind}.{name}"] = _as_number(value)
    return found


def _as_number(value: object) -> float:
    import zlib

    if isinstance(value, int | float):
        return float(value)
    return float(-zlib.crc32(str(value or "").encode()))


def _measure_entities(connection: "DuckDBPyConnection", *, has_past: bool) -> Rows:
    for row in _dictionaries(connection, "select * from drift_entities order by entity"):
        entity = row["entity"]
        yield f"records.{entity}", row["records"]
        if row["records"] >= _ENOUGH:
            yield f"usable.{entity}", row["usable"] / row["records"]
            yield f"linked.{entity}", row["linked"] / row["records"]
        if not has_past:
            continue
        if row["new_records"]:
            yield f"new_records.{entity}", row["new_records"]
        # without anything new the last day is one that was judged before
        if row["new_records"] and row["active"] >= _ENOUGH:
            yield f"returning.{entity}", row["returning_records"] / row["active"]
        if row["new_records"] >= _ENOUGH:
            yield f"new_usable.{entity}", row["new_usable"] / row["new_records"]
            yield f"new_linked.{entity}", row["new_linked"] / row["new_records"]
            yield f"new_rate.{entity}", row["born"] / row["new_records"]
            yield f"twins.{entity}", row["twins"] / row["new_records"]
            yield f"inflow.{entity}", row["inflow"]
        if row["new_timed"] >= _ENOUGH:
            yield f"clock_cosine.{entity}", row["new_cosine"]
            yield f"clock_sine.{entity}", row["new_sine"]


def _measure_types(connection: "DuckDBPyConnection") -> Rows:
    """Of the values that an entity named on its last day, the share that nobody named before.

    An entity that brought nothing has its last day judged already.
    """
    found = connection.execute(
        "with seen as ("
        " select l.entity, e.identifier_type, e.value_hash, any_value(l.since) as since"
        " from drift_evidence as e join drift_entities as l using (entity_hash)"
        " where l.new_records > 0 and e.is_active and e.last_seen_at > l.since group by all"
        "), first_seen as ("
        " select value_hash, min(first_seen_at) as first_seen_at"
        " from drift_evidence semi join seen using (value_hash) group by value_hash"
        ") select s.entity, s.identifier_type,"
        " count(*) filter (where v.first_seen_at > s.since) / count(*)"
        " from seen as s join first_seen as v using (value_hash)"
        " group by s.entity, s.identifier_type having count(*) >= ? order by all",
        [_ENOUGH],
    )
    for entity, kind, share in found.fetchall():
        yield f"unseen.{entity}.{kind}", share


def _name_columns(connection: "DuckDBPyConnection", query: str) -> Rows:
    for row in _dictionaries(connection, query):
        for name, value in row.items():
            if value is not None:
                yield f"identity.{name}", float(value)


def _dictionaries(connection: "DuckDBPyConnection", query: str) -> list[dict[str, float]]:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
