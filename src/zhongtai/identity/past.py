"""Who a record was, and since when: periods of the map, from one published map to the next.

A period begins with the as-of of the run that made it. Time never runs backwards in it: a run with
an earlier as-of than the published map counts as made at the last moment that is known.
"""

from datetime import datetime
from typing import TYPE_CHECKING

from zhongtai.identity.stability import naive_utc

if TYPE_CHECKING:
    import duckdb

_MARK_MOMENT = """
create or replace temp table identity_moment as
select greatest(
    $as_of::timestamp,
    (select max(valid_from) from {published}),
    (select max(valid_to) from identity_previous_past)
) as since
"""

_FIND_PARTED = """
create or replace temp table identity_parted as
select distinct previous_one_id as one_id
from identity_changes
where change in ('split', 'reassign')
"""

# A retired id whose person was parted again leads to the part that holds most of its last records.
_FOLLOW = """
create or replace temp table identity_redirects as
with held as (
    select r.retired_one_id, p.source, p.entity, p.record_key
    from identity_previous_redirects as r
    semi join identity_parted as s using (one_id)
    inner join identity_previous_past as p on r.retired_one_id = p.one_id
    qualify p.valid_to = max(p.valid_to) over (partition by r.retired_one_id)
),
votes as (
    select
        h.retired_one_id,
        m.one_id,
        count(*) as record_count,
        min(identity_key(h.source, h.entity, h.record_key)) as smallest,
    from held as h
    inner join identity.record_map as m using (source, entity, record_key)
    group by h.retired_one_id, m.one_id
),
elected as (
    select retired_one_id, one_id
    from votes
    qualify row_number() over (
        partition by retired_one_id order by record_count desc, smallest
    ) = 1
)
select r.retired_one_id, coalesce(e.one_id, r.one_id) as one_id, r.since
from identity_redirects as r
left join elected as e using (retired_one_id)
"""

_WRITE_PAST = """
create or replace table identity.past_map as
select source, entity, record_key, one_id, valid_from, valid_to from identity_previous_past
"""

_END_PERIODS = """
insert into identity.past_map
select p.source, p.entity, p.record_key, p.one_id, p.valid_from, m.since
from identity_previous as p
cross join identity_moment as m
anti join identity_mapped as r using (source, entity, record_key, one_id)
-- what was published twice at one moment held for no time
where p.valid_from < m.since
"""


def mark_moment(
    connection: "duckdb.DuckDBPyConnection", as_of: datetime, *, is_followed: bool
) -> None:
    """Write the temp table identity_moment: when what is resolved now begins (naive UTC)."""
    published = "identity.record_map" if is_followed else "identity_previous"
    connection.execute(_MARK_MOMENT.format(published=published), {"as_of": naive_utc(as_of)})


def follow_parts(connection: "duckdb.DuckDBPyConnection") -> None:
    """Lead the ids that were retired into a person to the right part, where it was parted."""
    connection.execute(_FIND_PARTED)
    if connection.execute("select 1 from identity_parted limit 1").fetchone():
        connection.execute(_FOLLOW)


def write_past(connection: "duckdb.DuckDBPyConnection", *, is_followed: bool) -> None:
    """Write identity.past_map: the periods that have ended, of records that are gone included.

    `is_followed`: the table stands as it was published, so only what has ended now is added.
    """
    if not is_followed:
        connection.execute(_WRITE_PAST)
    connection.execute(_END_PERIODS)
