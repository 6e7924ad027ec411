-- Grain: one row per car series: the software its cars are to have at as-of.
with
    set_by_hand as (
        select
            series_code,
            software_version,
            row_number() over (
                partition by series_code order by valid_from desc
            ) as place
        from {{ ref("software_targets") }}
        where
            valid_from <= {{ local_date(as_of()) }}
            and (valid_to is null or valid_to > {{ local_date(as_of()) }})
    ),

    running as (
        select
            series_code,
            software_version,
            row_number() over (
                partition by series_code
                order by
                    {{ version_order("software_version") }} desc, software_version desc
            ) as place
        from {{ ref("stg_dms__vehicles") }}
        where series_code is not null and software_version is not null
    ),

    targets as (
        select series_code, software_version
        from set_by_hand
        where place = 1
        union all
        select running.series_code, running.software_version
        from running
        where
            running.place = 1
            and running.series_code
            not in (select series_code from set_by_hand where place = 1)
    )

select
    series_code,
    software_version,
    {{ version_order("software_version") }} as version_order
from targets
