"""The true values of the shared tables about staff, worked out from the clean rows.

A reading of the metric catalogue of its own: what is compared with it was not made from it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_NPS = """
select cast(date_trunc('month', 提交时间 + interval 8 hour) as date) as month,
    问卷类型 as survey_kind, 经销商代码 as dealer_code, 顾问ID as staff_id,
    cast(sum(if(推荐分 > 8, 1, if(推荐分 < 7, -1, 0))) as bigint) as nps_num,
    count(*) as nps_den, if(count(*) < 10, null, nps_num / nps_den) as nps
from clean_surveys where 提交时间 is not null and 推荐分 is not null
group by all order by all
"""

_CONTENT = """
with grown as (
    select today.*, before.views as views_before, before.likes as likes_before,
        before.saves as saves_before, before.comments as comments_before,
        before.shares as shares_before, before.followers as followers_before
    from clean_content_posts today left join clean_content_posts before
        on before.post_id = today.post_id and before.stat_date = (
            select max(stat_date) from clean_content_posts earlier
            where earlier.post_id = today.post_id and earlier.stat_date < today.stat_date)
)
select cast(stat_date as date) as date, staff_id, platform,
    {counters}
from grown group by all order by all
"""

_TRAINING = """
with due as (
    select cast(date_trunc('month', due_at + interval 8 hour) as date) as month, staff_id,
        count(*) filter (completed_at <= due_at) as num, count(*) as den
    from clean_training_records where due_at <= $as_of group by all
), booked as (
    select cast(date_trunc('month', completed_at + interval 8 hour) as date) as month, staff_id,
        cast(sum(points) as bigint) as points
    from clean_training_records where completed_at is not null group by all
)
select month, staff_id, coalesce(num, 0) as training_completion_num,
    coalesce(den, 0) as training_completion_den, coalesce(points, 0) as points
from due full join booked using (month, staff_id) order by all
"""

_COUNTERS = ("views", "likes", "saves", "comments", "shares", "followers")


def staff_truth(
    connection: "duckdb.DuckDBPyConnection", at: Mapping[str, datetime]
) -> "dict[str, pa.Table]":
    """Return the true values by table; `clean_` relations must be there, `as_of` is naive UTC."""
    counters = ",\n    ".join(
        f"cast(sum(greatest({name} - coalesce({name}_before, 0), 0)) as bigint) as {name}"
        for name in _COUNTERS
    )
    return {
        "metrics_nps_monthly": connection.execute(_NPS).to_arrow_table(),
        "metrics_content_daily": connection.execute(
            _CONTENT.format(counters=counters)
        ).to_arrow_table(),
        "metrics_training_monthly": connection.execute(_TRAINING, dict(at)).to_arrow_table(),
    }
