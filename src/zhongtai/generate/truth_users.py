"""The true values of the shared tables about owners and links, worked out from the clean rows.

A reading of the metric catalogue of its own: what is compared with it was not made from it.
"""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_OWNERS = """
with cars as (
    select 交车单号 as id, VIN as vin, 交车时间 as sold, 经销商代码 as dealer, 销售顾问ID as staff,
        r.component as owner
    from clean_deliveries v
    left join records r on r.source = 'dms' and r.entity = 'orders' and r.record_key = v.订单号
), said as (
    select c.联系时间 as done, VIN as vin, r.component as person,
        coalesce(是否主动, false) as active, coalesce(目的, '') as aim
    from clean_owner_contacts c left join records r
        on r.source = 'crm' and r.entity = 'owner_contacts' and r.record_key = c.联系ID
), heard as (
    select cars.id, said.*,
        cast(said.done + interval 8 hour as date)
            - cast(cars.sold + interval 8 hour as date) as day,
        said.done >= cars.sold and said.done < cars.sold + interval 90 day as early
    from cars join said
        on said.vin = cars.vin or (said.vin is null and said.person = cars.owner)
), judged as (
    select cars.*,
        count(*) filter (h.early and h.active and h.aim <> '保养提醒') as touches,
        count(*) filter (h.day between 5 and 9) as day7
    from cars left join heard h using (id) group by all
)
select cast(date_trunc('month', sold + interval 8 hour) as date) as month,
    coalesce(dealer, '') as dealer_code, coalesce(staff, '') as staff_id,
    count(*) as deliveries,
    cast(coalesce(sum(touches) filter (sold + interval 90 day <= $as_of), 0) as bigint)
        as owner_touch_90d_num,
    count(*) filter (sold + interval 90 day <= $as_of) as owner_touch_90d_den,
    count(*) filter (day7 > 0 and cast(sold + interval 8 hour as date) + 10
        <= cast($as_of + interval 8 hour as date)) as day7_visit_rate_num,
    count(*) filter (cast(sold + interval 8 hour as date) + 10
        <= cast($as_of + interval 8 hour as date)) as day7_visit_rate_den
from judged group by all order by all
"""

_LINKS = """
with known as (
    select distinct 经销商代码 as dealer, r.component as person
    from clean_leads l join records r
        on r.source = 'crm' and r.entity = 'leads' and r.record_key = l.线索唯一ID
    where not coalesce(是否测试, false) and coalesce(线索状态, '') not in ('无效', '重复')
    union
    select vendor_id, r.component
    from clean_adf_leads l join records r
        on r.source = 'crm' and r.entity = 'adf_leads' and r.record_key = l.id || '|' || l.source
    where l.phone is not null
    union
    select 经销商代码, r.component
    from clean_orders o join records r
        on r.source = 'dms' and r.entity = 'orders' and r.record_key = o.订单号
    where coalesce(小订时间, 大定时间, 锁单时间) is not null and r.organisation_id is null
), befriended as (
    select distinct s.dealer_code as dealer, r.component as person
    from clean_wecom_contacts w
    join clean_staff s on s.staff_id = w.员工ID
    join records r on r.source = 'crm' and r.entity = 'wecom_contacts'
        and r.record_key = w.企微ExternalUserID || '|' || w.员工ID
    where w.添加时间 < $as_of
        and not coalesce(w.删除时间 >= w.添加时间 and w.删除时间 < $as_of, false)
)
select k.dealer as dealer_code, count(*) as customers, count(b.person) as wecom_link_rate_num
from known k left join befriended b using (dealer, person)
where k.dealer is not null
group by all order by all
"""

_FANS = """
with contacts as (
    select r.component as person, w.添加时间 as added, coalesce(s.dealer_code, '') as dealer,
        w.企微ExternalUserID || '|' || w.员工ID as record_key
    from clean_wecom_contacts w
    join records r on r.source = 'crm' and r.entity = 'wecom_contacts'
        and r.record_key = w.企微ExternalUserID || '|' || w.员工ID
    left join clean_staff s on s.staff_id = w.员工ID
    where w.添加时间 < $as_of
), firsts as (
    select person, min(added) as added, arg_min(dealer, (added, record_key)) as dealer
    from contacts group by person
)
select date_trunc('month', added + interval '8' hour)::date as month, dealer as dealer_code,
    count(*) as fans_gained
from firsts group by all order by all
"""


def users_truth(connection: "duckdb.DuckDBPyConnection", as_of: datetime) -> "dict[str, pa.Table]":
    """Return the true values by table; `clean_` relations and `records` must be there.

    `as_of` is naive UTC. Of links only the last day is told.
    """
    at = {"as_of": as_of}
    return {
        "metrics_owner_care_monthly": connection.execute(_OWNERS, at).to_arrow_table(),
        "metrics_dual_link_daily": connection.execute(_LINKS, at).to_arrow_table(),
        "metrics_wecom_fans_monthly": connection.execute(_FANS, at).to_arrow_table(),
    }
