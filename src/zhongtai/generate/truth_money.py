"""The true commissions and referral programme, worked out from the clean rows.

A reading of its own of the commission ladder (10, 5, 3, 5 %; 36 months) and of the rule of a valid
referral order. The generator's rows have one delivery per order, one referral per order, an adviser
and a profit for every invoiced car, and a red invoice for every returned one.
"""

from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb

_MONTH = "cast(date_trunc('month', {} + interval 8 hour) as date)"

_CARS = """
create temp table cars as
select o.订单号 as number, v.交车时间 as since, o.红票时间 as red, o.单车利润 as profit,
    o.销售顾问ID as seller, o.蓝票时间 is not null as billed,
    coalesce('o' || r.organisation_id, 'u' || r.component) as buyer
from clean_orders o join clean_deliveries v on v.订单号 = o.订单号
join records r on r.source = 'dms' and r.entity = 'orders' and r.record_key = o.订单号;
create temp table firsts as
select buyer, min_by(seller, (since, number)) as adviser,
    min_by(number, (since, number)) as number, min(since) as since
from cars group by buyer;
create temp table referred as
select f.order_no, f.member_code, 'u' || m.component as referrer, f.status = '有效' as kept,
    f.updated_at, o.红票时间 as red, o.取消时间 as cancelled, o.订单状态 as state,
    least(o.小订时间, o.大定时间, o.锁单时间) as ordered,
    coalesce(o.大定时间, o.蓝票时间) as paid, f.reserve_time as reserved,
    f.buy_expire_time as expires
from clean_referrals f join clean_orders o on o.订单号 = f.order_no
left join records m on m.entity = 'members' and m.record_key = f.member_code;
create temp table timely as
select * from referred
where ordered between reserved and expires and paid between reserved and expires
"""

_COMMISSIONS = f"""
with earned as (
    select 'first_deal' as component, c.seller as staff, c.since, c.red, c.profit * 10 as hundredths
    from cars c join firsts f on f.number = c.number where c.billed
    union all
    select 'repurchase', f.adviser, c.since, c.red, c.profit * 5
    from cars c join firsts f on f.buyer = c.buyer and f.number <> c.number
    where c.billed and c.since + interval 8 hour >= f.since + interval 8 hour + interval 36 month
    union all
    select 'referral', f.adviser, c.since,
        least(c.red, case when not t.kept then t.updated_at end), c.profit * 3
    from cars c join timely t on t.order_no = c.number join firsts f on f.buyer = t.referrer
    where c.billed and f.adviser <> c.seller and (t.kept or t.updated_at > c.since)
    union all
    select 'value_added', 顾问ID, 支付时间, 退款时间, 金额 * 5
    from clean_addon_sales
    where 产品类型 in ('软件订阅', '服务包') and 支付时间 is not null
), booked as (
    select component, staff, since, round(hundredths / 100.0)::bigint as fen, 0 as back from earned
    union all
    select component, staff, red, 0, round(hundredths / 100.0)::bigint from earned
    where red is not null
)
select {_MONTH.format("since")} as month, staff as staff_id, component,
    sum(fen)::bigint as accrued_fen, sum(back)::bigint as reversed_fen,
    (sum(fen) - sum(back))::bigint as net_fen
from booked where staff is not null group by all order by all
"""  # noqa: S608 - constants

_REFERRALS = f"""
with members as (
    select member_code, coalesce(kind, '') as member_kind, coalesce(department, '') as department,
        {_MONTH.format("registered_at")} as joined,
        (select {_MONTH.format("min(l.线索创建时间)")} from clean_leads l where not l.是否测试
            and l.推荐会员编码 = m.member_code and l.线索状态 not in ('无效', '重复')) as brought
    from clean_members m
), months as (
    select distinct cast(date_trunc('month', day) as date) as month
    from range((select min(joined) from members)::timestamp,
        $as_of + interval 8 hour + interval 1 second, interval 1 day) as days(day)
), bought as (
    select {_MONTH.format("ordered")} as month, member_code from timely
    where kept and red is null and cancelled is null and state not in ('已取消', '已退车')
)
select months.month, m.member_kind, m.department,
    count(*) as registered_members,
    (select count(*) from bought b join members o using (member_code) where b.month = months.month
        and o.member_kind = m.member_kind and o.department = m.department) as referral_valid_orders,
    count(*) filter (m.brought <= months.month) as lead_capture_rate_members_num,
    count(*) as lead_capture_rate_members_den
from months join members m on m.joined <= months.month group by all order by all
"""  # noqa: S608 - constants


def money_truth(connection: "duckdb.DuckDBPyConnection", as_of: datetime) -> dict[str, pa.Table]:
    """Return the true values of two shared tables, by table.

    `connection` has the clean rows as `clean_<entity>` and the partition as `records`; `as_of` is
    naive UTC.
    """
    connection.execute(_CARS)
    return {
        "metrics_commission_monthly": connection.execute(_COMMISSIONS).to_arrow_table(),
        "metrics_referral_member_monthly": connection.execute(
            _REFERRALS, {"as_of": as_of}
        ).to_arrow_table(),
    }
