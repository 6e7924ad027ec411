"""The true values of the bonus pool and of what the assessment adds up, from the clean rows.

A reading of the metric catalogue of its own: what is compared with it was not made from it. Scores
are left out, and of the items those that need whole years or the day of a post's statistics.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_MONTH = "cast(date_trunc('month', {} + interval 8 hour) as date)"

_MET = "r.source = 'dms' and r.entity = '{}' and r.record_key = {}"

_BONUS = f"""
with answers as (
    select 问卷ID as id, 顾问ID as staff, {_MONTH.format("提交时间")} as month,
        {_MONTH.format("发送时间")} as sent, 推荐分 as score,
        提交时间 is not null and 推荐分 between 0 and 10 as valid
    from clean_surveys where 顾问ID is not null
), met as (
    select 到店时间 as moment, 销售顾问ID as staff, 'u' || r.component as whom,
        '1' || 接待单号 as entry
    from clean_store_visits left join records r on {_MET.format("store_visits", "接待单号")}
    union all select 开始时间, 销售顾问ID, 'u' || r.component, '2' || 试驾单号
    from clean_test_drives left join records r on {_MET.format("test_drives", "试驾单号")}
    union all select 联系时间, 顾问ID, 'u' || r.component, '3' || 联系ID
    from clean_owner_contacts left join records r on r.source = 'crm'
        and r.entity = 'owner_contacts' and r.record_key = 联系ID
    union all select 交车时间, 销售顾问ID, coalesce('u' || r.component, 'o' || r.organisation_id),
        '4' || 交车单号
    from clean_deliveries left join records r on {_MET.format("orders", "订单号")}
), entries as (
    select month, staff, 'answer' as what, score, null as whom from answers where valid
    union all select sent, staff, 'sent', null, null from answers where sent is not null
    union all select sent, staff, 'back', null, null from answers where sent is not null and valid
    union all select {_MONTH.format("受理时间")}, 责任顾问ID, 'blame', null, null
    from clean_complaints where 受理时间 is not null and 责任顾问ID is not null
    union all select {_MONTH.format("moment")}, staff, 'met', null, coalesce(whom, entry)
    from met where moment is not null and staff is not null
), counted as (
    select month, staff, count(*) filter (what = 'answer' and score >= 9)
            - count(*) filter (what = 'answer' and score <= 6) as nps_num,
        count(*) filter (what = 'answer') as nps_den,
        count(*) filter (what = 'back') as response_rate_num,
        count(*) filter (what = 'sent') as response_rate_den,
        count(*) filter (what = 'blame') as complaints_accepted,
        count(distinct whom) filter (what = 'met') as customers_served
    from entries group by all
)
select month, staff as staff_id, * exclude (month, staff),
    complaints_accepted = 0 and customers_served > 0 as zero_complaint_flag,
    if(zero_complaint_flag and nps_den >= 10, greatest(nps_num, 0), 0) as pool_share_num,
    cast(sum(pool_share_num) over (partition by month) as bigint) as pool_share_den
from counted order by all
"""  # noqa: S608 - constants

_ASSESSED = f"""
with deals as (
    select {_MONTH.format("交车时间")} as month, v.销售顾问ID as staff, count(*) as deals,
        cast(coalesce(sum(o.成交价), 0) as bigint) as revenue_fen
    from clean_deliveries v left join clean_orders o using (订单号)
    where v.销售顾问ID is not null group by all
), answered as (
    select month, staff_id as staff, cast(sum(nps_num) as bigint) as nps_num,
        cast(sum(nps_den) as bigint) as nps_den
    from nps where staff_id is not null group by all
), posted as (
    select date_trunc('month', day)::date as month, staff, count(*) as content_posts
    from (select post_id, min(staff_id) as staff,
            coalesce(cast(min(posted_at) + interval 8 hour as date),
                cast(min(stat_date) as date)) as day
        from clean_content_posts group by post_id)
    where staff is not null group by all
), reviewed as (
    select cast(period || '-01' as date) as month, staff_id as staff, avg(score) as peer_score
    from clean_peer_reviews where score between 0 and 100 and staff_id is not null group by all
), trained as (
    select month, staff_id as staff, training_completion_num, training_completion_den
    from training where staff_id is not null and training_completion_den > 0
)
select month, staff as staff_id, coalesce(deals, 0) as deals,
    coalesce(revenue_fen, 0) as revenue_fen, coalesce(nps_num, 0) as nps_num,
    coalesce(nps_den, 0) as nps_den, coalesce(content_posts, 0) as content_posts,
    coalesce(training_completion_num, 0) as training_completion_num,
    coalesce(training_completion_den, 0) as training_completion_den,
    peer_score
from deals full join answered using (month, staff) full join posted using (month, staff)
full join reviewed using (month, staff) full join trained using (month, staff) order by all
"""  # noqa: S608 - constants


def teams_truth(
    connection: "duckdb.DuckDBPyConnection", staff: "Mapping[str, pa.Table]"
) -> "dict[str, pa.Table]":
    """Return the true values by table; of the assessment, of who did something in the month.

    `connection` has `records` and the `clean_` rows, `staff` the true tables about staff.
    """
    connection.register("nps", staff["metrics_nps_monthly"])
    connection.register("training", staff["metrics_training_monthly"])
    return {
        "metrics_bonus_pool_monthly": connection.execute(_BONUS).to_arrow_table(),
        "metrics_assessment_monthly": connection.execute(_ASSESSED).to_arrow_table(),
    }
