"""The true values of what happens around cars, worked out from the clean rows.

These are sales, quality issues, software of cars and actions of the task force. No person is
told apart for them; ratios are left as numerator, denominator.
"""

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb

_SALES = """
with handed as (
    select v.交车时间, coalesce(v.经销商代码, o.经销商代码) as dealer, o.成交价 as price,
        coalesce(o.车系, c.车系) as series, o.订单状态 = '已退车' or o.红票时间 is not null as back,
        coalesce(o.红票时间, o.取消时间, o.更新时间) as back_at
    from clean_deliveries v left join clean_orders o using (订单号)
    left join clean_vehicles c on c.VIN = coalesce(v.VIN, o.VIN)
), events as (
    select 'store_visits' as what, 到店时间 as moment, 意向车系 as series, 经销商代码 as dealer,
        0 as fen
    from clean_store_visits
    union all select 'test_drives', 开始时间, 试驾车系, 经销商代码, 0 from clean_test_drives
    union all select 'orders_small', 小订时间, 车系, 经销商代码, 0 from clean_orders
    union all select 'orders_large', 大定时间, 车系, 经销商代码, 0 from clean_orders
    union all select 'orders_locked', 锁单时间, 车系, 经销商代码, 0 from clean_orders
    union all select 'orders_cancelled', 取消时间, 车系, 经销商代码, 0 from clean_orders
    union all select 'deliveries', 交车时间, series, dealer, price from handed
    union all select 'deliveries_returned', back_at, series, dealer, 0 from handed where back
)
select cast(moment + interval 8 hour as date) as date, coalesce(series, '') as series_code,
    coalesce(dealer, '') as dealer_code, coalesce(d.大区, '') as region, {counts},
    cast(coalesce(sum(fen), 0) as bigint) as revenue_fen
from events left join clean_dealers d on d.经销商代码 = dealer
where moment is not null group by all order by all
"""
_SOLD = ("store_visits", "test_drives", "orders_small", "orders_large", "orders_locked",
         "orders_cancelled", "deliveries", "deliveries_returned")  # fmt: skip

_ISSUES = """
select cast(raised_at + interval 8 hour as date) as date,
    coalesce(i.series_code, c.车系, '') as series_code, coalesce(fault_part, '') as fault_part,
    coalesce(i.source, '') as source, count(*) as issues_raised,
    count(escalated_at) as issues_escalated, count(fixed_at) as issues_fixed, {ratios}
from clean_quality_issues i left join clean_vehicles c on c.VIN = i.vin
where raised_at is not null group by all order by all
"""

_FLEET = """
select cast($as_of + interval 8 hour as date) as date, coalesce(车系, '') as series_code,
    coalesce(软件版本, '') as software_version, coalesce(库存状态, '') as stock_status,
    count(*) as vehicles
from clean_vehicles group by all order by all
"""

_ACTIONS = """
select cast(date_trunc('week', meeting_at + interval 8 hour) as date) as week,
    coalesce(region, '') as region, count(*) as actions,
    count(*) filter (due_at <= $as_of and closed_at <= due_at) as meeting_action_close_rate_num,
    count(*) filter (due_at <= $as_of) as meeting_action_close_rate_den
from clean_action_items where meeting_at is not null group by all order by all
"""


def field_truth(connection: "duckdb.DuckDBPyConnection", as_of: object) -> dict[str, pa.Table]:
    """Return the true rows by table, some of its columns, at `as_of` (naive UTC).

    `connection` has the clean rows as views `clean_<entity>`. Of the task force only the rows with
    meetings are told.
    """
    at = {"as_of": as_of}
    counts = ", ".join(f"count(*) filter (what = '{what}') as {what}" for what in _SOLD)
    ratios = ", ".join(
        f"count(*) filter (raised_at + interval {days} day <= $as_of and fixed_at >= raised_at"
        f" and fixed_at < raised_at + interval {days} day) as fixed_rate_{days}d_num, count(*)"
        f" filter (raised_at + interval {days} day <= $as_of) as fixed_rate_{days}d_den"
        for days in (1, 2, 7, 30)
    )
    queries = {
        "metrics_sales_daily": (_SALES.format(counts=counts), None),
        "metrics_quality_issue_daily": (_ISSUES.format(ratios=ratios), at),
        "metrics_fleet_software_daily": (_FLEET, at),
        "metrics_region_weekly": (_ACTIONS, at),
    }
    return {
        name: connection.execute(query, given).to_arrow_table()
        for name, (query, given) in queries.items()
    }
