"""The true values of shared metrics tables, worked out from the clean rows.

A second, independent reading of the metric catalogue; ratios are left as numerator, denominator.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from zhongtai.generate.draws import Array
from zhongtai.generate.timeline import DAY, LOCAL
from zhongtai.generate.truth_behaviour import behaviour_truth
from zhongtai.generate.truth_money import money_truth
from zhongtai.generate.truth_staff import staff_truth
from zhongtai.generate.truth_teams import teams_truth

if TYPE_CHECKING:
    import duckdb

OPENS, CLOSES = 9 * 3600, 21 * 3600
TABLES = ("metrics_lead_funnel_daily", "metrics_response_daily", "metrics_complaint_daily")

_LEADS = """
create temp table leads as
with crm as (
    select '线索' as kind, 线索唯一ID as id, 'leads' as entity, 线索唯一ID as record_key,
        手机号 as mobile, 微信UnionID as unionid, 一级渠道名称 as c1, 二级渠道名称 as c2,
        三级渠道名称 as c3, 四级渠道名称 as c4, 意向车系 as series, 经销商代码 as dealer,
        线索评级 as tier, 线索状态 as status, 是否测试 as test, 线索创建时间 as created,
        线索下发时间 as dispatched, 首触时间 as touched, 是否接通 as connected,
        到店时间 as visited, 试驾时间 as driven, 大定时间 as ordered, 活动编码 as campaign
    from clean_leads
), adf as (
    select 'ADF', 'adf|' || id || '|' || source, 'adf_leads', id || '|' || source,
        phone, null, '第三方', provider_name, null, null, vehicle_model, vendor_id,
        null, if(phone is null, '无效', '有效'), false, requestdate, null, null, null,
        null, null, null, null
    from clean_adf_leads
)
select l.*, r.component, r.is_staff, coalesce(d.大区, '') as region
from (select * from crm union all select * from adf) l
left join records r on r.source = 'crm' and r.entity = l.entity and r.record_key = l.record_key
left join clean_dealers d on d.经销商代码 = l.dealer
"""

_CONTACTS = """
create temp table contacts as
select l.id, min(f.跟进时间) filter (f.跟进时间 >= coalesce(l.dispatched, l.created)) as followed,
    bool_or(f.是否接通) as any_connected
from leads l join clean_follow_ups f on f.线索唯一ID = l.id
group by l.id
"""

_OUTCOMES = """
create temp table bought as
select o.*, r.component, least(o.小订时间, o.大定时间, o.锁单时间) as first_at,
    least(o.大定时间, o.锁单时间) as large_at,
    -- a car taken and given back was no cancelled order
    o.取消时间 is not null or o.订单状态 = '已取消' as cancelled,
    (select min(交车时间) from clean_deliveries v where v.订单号 = o.订单号) as delivered
from clean_orders o
join records r on r.source = 'dms' and r.entity = 'orders' and r.record_key = o.订单号
where r.organisation_id is null;
create temp table outcomes as
select l.id,
    min(b.large_at) filter (b.large_at >= l.created) as matched,
    min(b.large_at) filter (b.large_at >= l.created and not b.cancelled) as kept,
    min(b.delivered) filter (b.delivered >= l.created) as delivered
from leads l join bought b on b.component = l.component and b.first_at >= l.created
group by l.id;
create temp table prospects as
select l.id, min(v.到店时间) as visited, min(t.开始时间) as driven
from leads l
left join records rv on rv.component = l.component and rv.entity = 'store_visits'
left join clean_store_visits v on v.接待单号 = rv.record_key and v.到店时间 >= l.created
left join records rt on rt.component = l.component and rt.entity = 'test_drives'
left join clean_test_drives t on t.试驾单号 = rt.record_key and t.开始时间 >= l.created
where l.kind = 'ADF' group by l.id
"""

_FUNNEL = """
create temp table funnel as
select l.*, c.followed, least(l.touched, c.followed) as contacted,
    coalesce(l.connected, c.any_connected, false) as reached,
    if(l.kind = 'ADF', p.visited, l.visited) as came,
    if(l.kind = 'ADF', p.driven, l.driven) as drove,
    if(l.kind = 'ADF', o.matched, l.ordered) as large_at, o.matched, o.kept, o.delivered,
    not l.test and l.status not in ('无效', '重复') as valid,
    coalesce(l.mobile in (select mobile from clean_staff), false)
        or coalesce(l.unionid in (select unionid from clean_staff where unionid is not null), false)
        or coalesce(l.is_staff, false) as own,
    not l.test and exists (
        select 1 from leads e where e.mobile = l.mobile and not e.test
        and e.created < l.created and e.created >= l.created - interval 30 day) as repeated
from leads l
left join contacts c using (id)
left join outcomes o using (id)
left join prospects p using (id)
"""


def _within(what: str, days: int) -> str:
    return f"coalesce({what} >= created and {what} < created + interval {days} day, false)"


def _cohort(name: str, what: str, days: int, condition: str = "true") -> str:
    mature = f"valid and created + interval {days} day <= $as_of"
    return (
        f"count(*) filter ({mature} and {condition} and {_within(what, days)}) as {name}_num, "
        f"count(*) filter ({mature}) as {name}_den"
    )


def _funnel_query() -> str:
    keys = {
        "channel_1": "c1", "channel_2": "c2", "channel_3": "c3", "channel_4": "c4",
        "series_code": "series", "dealer_code": "dealer", "region": "region", "tier": "tier",
    }  # fmt: skip
    kept = f"not ({_within('matched', 30)} and not {_within('kept', 30)})"
    standing = "large_at is not null and not (matched is not null and kept is null)"
    closed = f"valid and (status in ('战败', '失效') or ({standing}))"
    parts = [
        "cast(created + interval 8 hour as date) as date",
        *(f"coalesce({column}, '') as {name}" for name, column in keys.items()),
        "count(*) filter (not test) as leads_created",
        "count(*) filter (test) as leads_test",
        "count(*) filter (not test and own) as leads_staff",
        "count(*) filter (valid) as leads_valid",
        "count(*) filter (repeated) as duplicate_rate_num",
        "count(*) filter (not test) as duplicate_rate_den",
        "count(*) filter (valid and dispatched is not null) as dispatch_rate_num",
        "count(*) filter (valid) as dispatch_rate_den",
        "count(*) filter (not test and contacted is not null and reached) as connect_rate_num",
        "count(*) filter (not test and contacted is not null) as connect_rate_den",
        *(_cohort(f"visit_rate_{days}d", "came", days) for days in (7, 14, 30)),
        *(_cohort(f"test_drive_rate_{days}d", "drove", days) for days in (7, 14, 30)),
        _cohort("order_rate_30d", "large_at", 30, kept),
        _cohort("delivery_rate_90d", "delivered", 90),
        f"count(*) filter ({closed} and status = '战败') as lost_rate_num",
        f"count(*) filter ({closed}) as lost_rate_den",
    ]
    return f"select {', '.join(parts)} from funnel group by all order by all"  # noqa: S608 - constants


_COMPLAINTS = """
select cast(受理时间 + interval 8 hour as date) as date, coalesce(投诉级别, '') as level,
    coalesce(投诉类型, '') as type, coalesce(来源, '') as source,
    coalesce(c.经销商代码, '') as dealer_code, coalesce(d.大区, '') as region,
    count(*) as accepted,
    count(*) filter (受理时间 + interval 24 hour <= $as_of
        and 首次联系时间 <= 受理时间 + interval 24 hour) as contact_24h_rate_num,
    count(*) filter (受理时间 + interval 24 hour <= $as_of) as contact_24h_rate_den,
    count(*) filter (受理时间 + interval 24 hour <= $as_of
        and 解决时间 <= 受理时间 + interval 24 hour) as resolved_1d_rate_num,
    count(*) filter (受理时间 + interval 24 hour <= $as_of) as resolved_1d_rate_den,
    count(*) filter (受理时间 + interval 30 day <= $as_of and 首次联系时间 <= 解决时间
        and 解决时间 <= 回访时间 and 回访结果 is not null) as closed_loop_rate_num,
    count(*) filter (受理时间 + interval 30 day <= $as_of) as closed_loop_rate_den
from clean_complaints c left join clean_dealers d on d.经销商代码 = c.经销商代码
group by all order by all
"""

_RESPONSES = """
select cast(dispatched + interval 8 hour as date) as date, coalesce(dealer, '') as dealer_code,
    region, coalesce(c1, '') as channel_1, count(*) as leads_dispatched, {ratios}
from responses group by all order by all
"""


def write_metric_truth(truth: Path, as_of: datetime, holidays: Path | None = None) -> None:
    """Write the truth of the tables at `as_of` (aware) below `truth`; see `metric_truth`.

    Persons are counted as a careful human would tell them apart, by `evidence_group`.
    """
    from zhongtai.generate.truth import write_table

    for name, table in metric_truth(truth, as_of, holidays, _careful_partition(truth)).items():
        write_table(table, truth / "metrics" / f"{name}.parquet")


def metric_truth(
    truth: Path, as_of: datetime, holidays: Path | None, partition: pa.Table
) -> dict[str, pa.Table]:
    """Return the true values of the tables, given who is one person.

    `truth` holds what the generator wrote. `holidays` is a CSV with a column `date` on which no
    dealer works; without it every day counts. `partition` has source, entity, record_key,
    component (any type), is_staff, and organisation_id, null for records of persons.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        for path in sorted((truth / "clean").glob("*.parquet")):
            connection.register(f"clean_{path.stem.split('__')[1]}", pq.read_table(path))
        connection.register("records", partition)
        connection.register("behaviours", pq.read_table(truth / "behaviours.parquet"))
        _stage(connection)
        at = {"as_of": as_of.astimezone(UTC).replace(tzinfo=None)}
        staff = staff_truth(connection, at)
        return {
            TABLES[0]: connection.execute(_funnel_query(), at).to_arrow_table(),
            TABLES[1]: _responses(connection, as_of, holidays),
            TABLES[2]: connection.execute(_COMPLAINTS, at).to_arrow_table(),
            **staff,
            **teams_truth(connection, staff),
            **money_truth(connection, at["as_of"]),
            **behaviour_truth(connection, at),
        }


def _careful_partition(truth: Path) -> pa.Table:
    """Return the partition of the truth; an employee's are the records known to be its own."""
    classes = pq.read_table(truth / "identity_classes.parquet")
    records = pq.read_table(truth / "records.parquet")
    persons = pq.read_table(truth / "persons.parquet")
    employees = persons.filter(persons.column("is_staff")).column("person_id")
    is_own = pc.is_in(classes.column("person_id"), employees.combine_chunks())
    known = pc.and_(is_own, classes.column("evidence_suffices"))
    # The rows of both files are the same records in the same order.
    return pa.table(
        {
            **{name: classes.column(name) for name in ("source", "entity", "record_key")},
            "organisation_id": records.column("organisation_id"),
            "component": classes.column("evidence_group"),
            "is_staff": known,
        }
    )


def _stage(connection: "duckdb.DuckDBPyConnection") -> None:
    for statement in (_LEADS, _CONTACTS, _OUTCOMES, _FUNNEL):
        connection.execute(statement)


def _responses(
    connection: "duckdb.DuckDBPyConnection", as_of: datetime, holidays: Path | None
) -> pa.Table:
    closed = _holidays(holidays)
    table = connection.execute(
        "select id, epoch(dispatched)::bigint as d, "
        "if(contacted is null, null, epoch(greatest(contacted, dispatched)))::bigint as c "
        "from funnel where dispatched is not null and not test"
    ).to_arrow_table()
    sent = table.column("d").to_numpy()
    answered = table.column("c").fill_null(-1).to_numpy()
    end = np.full(len(sent), int(as_of.timestamp()))
    took = np.where(answered < 0, -1, worked(answered, closed) - worked(sent, closed))
    elapsed = worked(np.maximum(end, sent), closed) - worked(sent, closed)
    timed = pa.table({"id": table.column("id"), "took": took, "elapsed": elapsed})
    connection.register("timed", timed)
    connection.execute("create temp table responses as from funnel join timed using (id)")
    ratios = ", ".join(
        f"count(*) filter (elapsed >= {minutes * 60} and took between 0 and {minutes * 60}) as "
        f"first_response_timely_rate_{minutes}m_num, count(*) filter (elapsed >= {minutes * 60}) "
        f"as first_response_timely_rate_{minutes}m_den"
        for minutes in (30, 60, 240, 720)
    )
    return connection.execute(_RESPONSES.format(ratios=ratios)).to_arrow_table()


def worked(times: Array, closed: Array) -> Array:
    """Return the working seconds from 1970 until each UTC second: 09:00 to 21:00 on open days.

    `closed` has the local day numbers (days since 1970) on which nobody works, ascending.
    """
    local = np.asarray(times) + LOCAL
    day, second = local // DAY, local % DAY
    open_before = day - np.searchsorted(closed, day)
    today = np.where(np.isin(day, closed), 0, np.clip(second - OPENS, 0, CLOSES - OPENS))
    return np.asarray(open_before * (CLOSES - OPENS) + today)


def _holidays(path: Path | None) -> Array:
    if path is None or not path.exists():
        return np.empty(0, dtype=np.int64)
    days = [_as_date(value) for value in pacsv.read_csv(path).column("date").to_pylist()]
    return np.array(sorted((day - date(1970, 1, 1)).days for day in days), dtype=np.int64)


def _as_date(value: object) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))
