-- Grain: one row per person and attribute, the value that the declared rules choose.
{% set steps = [
    "first_rule",
    "second_rule",
    "third_rule",
    "fourth_rule",
    "fifth_rule",
    "sixth_rule",
] %}

with
    -- each rule becomes a number, the larger the better, in the order declared for
    -- the attribute
    scored as (
        select
            o.*,
            {% for step in steps %}
                r.{{ step }},
                case
                    r.{{ step }}
                    when 'complete'
                    then case when o.is_complete then 1.0 else 0.0 end
                    when 'verified'
                    then case when o.is_verified then 1.0 else 0.0 end
                    when 'unshared'
                    then case when o.is_shared then 0.0 else 1.0 end
                    when 'refusal'
                    then case when o.value = 'false' then 1.0 else 0.0 end
                    when 'source_priority'
                    then - cast(o.source_priority as double)
                    when 'frequency'
                    then cast(o.frequency as double)
                    when 'longest'
                    then cast(length(o.value) as double)
                    when 'recency'
                    then coalesce({{ seconds_since_1970("o.said_at") }}, 0.0)
                    else 0.0
                end as {{ step }}_score
                {% if not loop.last %}, {% endif %}
            {% endfor %}
        from {{ ref("int_users__options") }} as o
        inner join {{ ref("survivorship") }} as r on o.attribute = r.attribute
    ),

    -- the attributes that are chosen together stand on one place
    ranked as (
        select
            *,
            dense_rank() over (
                partition by one_id, chosen_with
                order by
                    {% for step in steps %} {{ step }}_score desc, {% endfor %}
                    chosen_value,
                    source,
                    entity,
                    record_key
            ) as place
        from scored
    ),

    winners as (select * from ranked where place = 1),

    -- the best candidate with another value tells which rule decided
    rivals as (
        select
            r.*,
            row_number() over (
                partition by r.one_id, r.attribute order by r.place
            ) as rival_place
        from ranked as r
        inner join winners as w on r.one_id = w.one_id and r.attribute = w.attribute
        where r.value <> w.value
    ),

    rejected as (
        select one_id, attribute, count(distinct value) as rejected_count
        from rivals
        group by one_id, attribute
    )

select
    w.one_id,
    w.attribute,
    w.value,
    w.source,
    w.entity,
    w.record_key,
    w.observed_at,
    case
        when v.one_id is null
        then 'only_value'
        {% for step in steps %}
            when w.{{ step }}_score > v.{{ step }}_score then w.{{ step }}
        {% endfor %}
        else 'smallest_value'
    end as rule,
    coalesce(j.rejected_count, 0) as rejected_count
from winners as w
left join
    rivals as v
    on w.one_id = v.one_id
    and w.attribute = v.attribute
    and v.rival_place = 1
left join rejected as j on w.one_id = j.one_id and w.attribute = j.attribute
