-- Grain: one row per period_kind (month, year), period and staff_id: measures and
-- scores side by side.
{%- set ratios = [
    "conversion",
    "repurchase_rate_36m",
    "referral_rate_12m",
    "community_activity",
    "first_response_timely_rate",
    "content_quality",
    "training_completion",
    "nps",
] %}
{%- set dimensions = ["performance", "user", "process"] %}
with
    dimension_scores as (
        select
            period_kind,
            period,
            staff_id,
            dealer_code,
            tenure_stage,
            dimension,
            max(coverage) as coverage,
            case
                when max(coverage) >= 0.5
                then
                    {{
                        at_most(
                            100,
                            "cast(sum(weighted_score) as double)"
                            ~ " / cast(sum(case when value is not null then weight end)"
                            ~ " as double)",
                        )
                    }}
            end as score
        from {{ ref("int_assessment_scores") }}
        group by period_kind, period, staff_id, dealer_code, tenure_stage, dimension
    ),

    weights as (
        select
            members.period_kind,
            members.period,
            {%- for set in ["short", "long"] %}
                {%- for dimension in dimensions %}
                    max(
                        case
                            when
                                weights.parameter_set = '{{ set }}'
                                and weights.dimension = '{{ dimension }}'
                            then weights.weight
                        end
                    ) as {{ set }}_{{ dimension }}
                    {{- "," if not (loop.last and set == "long") }}
                {%- endfor %}
            {%- endfor %}
        from
            (
                select distinct period_kind, period
                from {{ ref("int_assessment_members") }}
            ) as members
        inner join
            {{ ref("assessment_weights") }} as weights
            on {{ is_valid_in("weights", "members.period") }}
        group by members.period_kind, members.period
    ),

    dimensions as (
        select
            period_kind,
            period,
            staff_id,
            dealer_code,
            tenure_stage,
            {%- for dimension in dimensions %}
                max(score) filter (
                    where dimension = '{{ dimension }}'
                ) as {{ dimension }}_score,
                coalesce(
                    max(coverage) filter (where dimension = '{{ dimension }}'), 0
                ) as {{ dimension }}_coverage
                {{- "," if not loop.last }}
            {%- endfor %}
        from dimension_scores
        group by period_kind, period, staff_id, dealer_code, tenure_stage
    ),

    measures as (
        select
            period_kind,
            period,
            staff_id,
            {%- for item in ["deals", "revenue_fen", "content_posts"] %}
                cast(
                    coalesce(sum(num) filter (where item = '{{ item }}'), 0) as bigint
                ) as {{ item }},
            {%- endfor %}
            {%- for item in ratios %}
                {%- for part in ["num", "den"] %}
                    cast(
                        coalesce(
                            sum({{ part }}) filter (where item = '{{ item }}'), 0
                        ) as bigint
                    ) as {{ item }}_{{ part }},
                {%- endfor %}
            {%- endfor %}
            max(value) filter (where item = 'peer_score') as peer_score
        from {{ ref("int_assessment_scores") }}
        group by period_kind, period, staff_id
    )

select
    measures.*,
    dimensions.dealer_code,
    dimensions.tenure_stage,
    {%- for dimension in dimensions %}
        dimensions.{{ dimension }}_coverage, dimensions.{{ dimension }}_score,
    {%- endfor %}
    {%- for set in ["short", "long"] %}
        {%- for measure, limit in [("coverage", 1), ("score", 100)] %}
            {%- set parts = [] %}
            {%- for dimension in dimensions %}
                {%- do parts.append(
                    "cast(weights."
                    ~ set
                    ~ "_"
                    ~ dimension
                    ~ " as double)"
                    ~ " * dimensions."
                    ~ dimension
                    ~ "_"
                    ~ measure
                ) %}
            {%- endfor %}
            {{ at_most(limit, parts | join(" + ")) }} as {{ set }}_{{ measure }}
            {{- "," if not (loop.last and set == "long") }}
        {%- endfor %}
    {%- endfor %}
from measures
inner join
    dimensions
    on dimensions.period_kind = measures.period_kind
    and dimensions.period = measures.period
    and dimensions.staff_id = measures.staff_id
left join
    weights
    on weights.period_kind = measures.period_kind
    and weights.period = measures.period
