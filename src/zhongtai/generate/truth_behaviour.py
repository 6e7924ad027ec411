"""The true values of behaviour and campaigns, worked out from what people did.

A reading of the metric catalogue of its own: what is compared with it was not made from it. The
rule is that of the founding documents, more than 10 views of a series in 30 days and a finance
click, held against inquiries within 72 hours.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_MONDAY = "cast(date_trunc('week', {} + interval 8 hour) as date)"
_DAY = "cast({} + interval 8 hour as date)"

_LAST = _DAY.format("结束时间 - interval 1 microsecond")

_DONE = """
create temp table done as
select r.component as who, b."at" as moment, b.series_code as series, b.campaign_code as campaign,
    lower(replace(b.event, '_', '')) as what
from behaviours b join records r
    on r.source = b.source and r.entity = b.entity and r.record_key = b.record_key
"""

_HITS = """
create temp table asked as select who, moment from done where what = 'submitinquiry';
create temp table signs as
select who, series, moment, what = 'viewseries' as views from done
where what in ('viewseries', 'clickfinance') and series is not null;
create temp table held as
select now.who, now.series, now.moment
from (select distinct who, series, moment from signs) now join signs past
    on past.who = now.who and past.series = now.series
    and past.moment <= now.moment and past.moment > now.moment - interval 30 day
where not exists (select 1 from asked where asked.who = now.who and asked.moment < now.moment
    and asked.moment >= now.moment - interval 30 day)
group by all having count(*) filter (past.views) > 10 and count(*) filter (not past.views) > 0;
create temp table hits as
with recursive hit as (
    select who, series, min(moment) as moment from held group by all
    union all
    select who, series, moment from (
        select h.who, h.series, min(held.moment) as moment from hit h join held
            on held.who = h.who and held.series = h.series
            and held.moment >= h.moment + interval 30 day
        group by h.who, h.series, h.moment)
)
select * from hit
"""

_RULE = f"""
with judged as (
    select {_MONDAY.format("h.moment")} as week, series, true as hit, h.moment,
        exists (select 1 from asked a where a.who = h.who and a.moment > h.moment
            and a.moment <= h.moment + interval 72 hour) as asks
    from hits h
), viewers as (
    select {_MONDAY.format("s.moment")} as week, s.series, s.who, min(s.moment) as moment
    from signs s where s.views group by all
), others as (
    select v.week, v.series, false, v.moment,
        exists (select 1 from asked a where a.who = v.who and a.moment > v.moment
            and a.moment <= v.moment + interval 72 hour)
    from viewers v
    where (v.week, v.series) in (select (week, series) from judged)
        and not exists (select 1 from asked a where a.who = v.who and a.moment < v.moment
            and a.moment >= v.moment - interval 30 day)
        and not exists (select 1 from hits h where h.who = v.who and h.series = v.series
            and ({_MONDAY.format("h.moment")} = v.week
                or (h.moment < v.moment and h.moment > v.moment - interval 30 day)))
), everybody as (
    select *, moment + interval 72 hour <= $as_of as ripe
    from (select * from judged union all select * from others)
)
select week, 'views_and_finance' as rule, series as series_code,
    count(*) filter (hit) as rule_hits,
    count(*) filter (hit and ripe and asks) as rule_precision_72h_num,
    count(*) filter (hit and ripe) as rule_precision_72h_den,
    count(*) filter (not hit and ripe and asks) as base_rate_72h_num,
    count(*) filter (not hit and ripe) as base_rate_72h_den
from everybody group by all order by all
"""  # noqa: S608 - constants

_CAMPAIGNS = f"""
with days as (
    select 活动编码 as campaign, {_DAY.format("开始时间")} as first, 结束时间 is null as open,
        greatest(first, coalesce({_LAST}, first)) as last,
        coalesce(预算, 0) as fen
    from clean_campaigns where 开始时间 is not null
), running as (
    select campaign, cast(day as date) as date, fen, cast(day as date) - first + 1 as place,
        last - first + 1 as planned
    from days, range(first::timestamp,
        least(if(open, date '9999-01-01', last), {_DAY.format("$as_of")}) + interval 1 day,
        interval 1 day) as list(day)
), spent as (
    select campaign, date, 0 as joins, null as who, false as is_first, null as joined,
        if(place <= planned, fen * place // planned - fen * (place - 1) // planned, 0) as budget
    from running
), joined as (
    select campaign, {_DAY.format("moment")} as date, who, moment,
        row_number() over (partition by campaign, who order by moment) = 1 as is_first
    from done where what = 'joinactivity' and campaign is not null
), entries as (
    select * from spent
    union all select campaign, date, 1, who, is_first, moment, 0 from joined
), followed as (
    select e.*, is_first and joined + interval 30 day <= $as_of as mature,
        exists (select 1 from funnel f where f.valid and f.component = e.who
            and f.created >= e.joined and f.created < e.joined + interval 30 day) as led
    from entries e
), people as (
    select campaign, date, cast(sum(budget) as bigint) as budget_fen,
        cast(sum(joins) as bigint) as joins, count(distinct who) as participants,
        count(*) filter (is_first) as participants_new,
        count(*) filter (mature and led) as join_lead_rate_30d_num,
        count(*) filter (mature) as join_lead_rate_30d_den
    from followed group by all
), leads as (
    select campaign, {_DAY.format("created")} as date,
        count(*) filter (not test) as leads_created, count(*) filter (test) as leads_test,
        count(*) filter (not test and own) as leads_staff,
        count(*) filter (valid) as leads_valid,
        count(*) filter (valid and created + interval 30 day <= $as_of and came >= created
            and came < created + interval 30 day) as visit_rate_30d_num,
        count(*) filter (valid and created + interval 30 day <= $as_of) as visit_rate_30d_den
    from funnel where campaign is not null group by all
)
select date, campaign as campaign_code, {{shown}}
from people full join leads using (campaign, date) order by all
"""  # noqa: S608 - constants
_COUNTED = (
    "budget_fen", "joins", "participants", "participants_new", "join_lead_rate_30d_num",
    "join_lead_rate_30d_den", "leads_created", "leads_test", "leads_staff", "leads_valid",
    "visit_rate_30d_num", "visit_rate_30d_den",
)  # fmt: skip


def behaviour_truth(
    connection: "duckdb.DuckDBPyConnection", at: Mapping[str, datetime]
) -> "dict[str, pa.Table]":
    """Return the true values by table.

    `connection` has `behaviours`, `records`, `clean_campaigns` and the leads as `funnel`.
    """
    connection.execute(_DONE)
    connection.execute(_HITS)
    shown = ", ".join(f"coalesce({name}, 0) as {name}" for name in _COUNTED)
    found = {
        "metrics_behaviour_rule_weekly": _RULE,
        "metrics_campaign_daily": _CAMPAIGNS.format(shown=shown),
    }
    return {
        table: connection.execute(query, dict(at)).to_arrow_table()
        for table, query in found.items()
    }
