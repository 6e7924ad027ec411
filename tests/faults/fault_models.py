"""A dbt project cut down: real staging models and macros, real identity, a handful of marts.

It serves trials in which dbt itself and the resolution of persons are killed.
"""

import shutil
from pathlib import Path

from fault_world import ENTITIES

from staging_project import copy_skeleton

from landing_cases import PROJECT

_STAGED = tuple(
    entity.replace("__", "/stg_" + entity.split("__", maxsplit=1)[0] + "__") for entity in ENTITIES
)
_OPEN = "{{ config(contract={'enforced': false}) }}\n"
_CARRIERS = (
    ("crm", "contacts", "stg_crm__contacts", "updated_at", "name", "birth_date"),
    ("crm", "leads", "stg_crm__leads", "created_at", "name", "cast(null as date)"),
)
_RECORDS = " union all ".join(
    f"select '{source}' as source, '{entity}' as entity, record_key, {at} as first_seen_at,"
    f" {at} as last_seen_at, {name} as name, cast(null as varchar) as hint,"
    f" {born} as birth_date, false as is_organisation, cast(null as varchar) as organisation_key"
    f" from {{{{ ref('{model}') }}}}"
    for source, entity, model, at, name, born in _CARRIERS
) + (
    " union all select 'app', 'events', distinct_id, min(occurred_at), max(occurred_at), null,"
    " null, null, false, null from {{ ref('stg_app__events') }} group by distinct_id"
)
_EVIDENCE = " union all ".join(
    f"select '{source}' as source, '{entity}' as entity, record_key, '{kind}' as identifier_type,"
    f" '' as identifier_scope, {kind} as identifier_value, {at} as first_seen_at,"
    f" {at} as last_seen_at, cast(1 as bigint) as record_count, false as is_verified,"
    f" true as is_edge, cast(null as varchar) as reason"
    f" from {{{{ ref('{model}') }}}} where {kind} is not null"
    for source, entity, model, at, _, _ in _CARRIERS
    for kind in ("mobile", "crm_customer_id", "unionid")
)
_ROWS = " union all ".join(
    f"select '{entity}' as entity, md5(concat_ws('|', record_key, _delivery_id, _row_number)) as"
    f" row_key, count(*) as leads_created from {{{{ ref('stg_{entity}') }}}} group by all"
    for entity in ENTITIES
)
_MODELS = {
    "intermediate/identity/int_identity_records": _RECORDS,
    "intermediate/identity/int_identity_evidence": _EVIDENCE,
    "intermediate/identity/int_identity_owners": "select '' as identifier_type,"
    " '' as identifier_scope, '' as identifier_value, '' as name where false",
    "intermediate/identity/int_identity_attributes": "select '' as source, '' as entity,"
    " '' as record_key, '' as attribute, '' as value where false",
    "marts/profiles/bridge_user_records": "select source, entity, record_key, one_id"
    " from {{ source('identity', 'record_map') }}",
    "marts/profiles/bridge_user_identifiers": "select identifier_type, identifier_scope,"
    " identifier_value, one_id, false as is_shared from {{ ref('int_identity_evidence') }}"
    " join {{ source('identity', 'record_map') }} using (source, entity, record_key) group by all",
    "marts/profiles/bridge_user_vehicles": "select '' as one_id, '' as vin, '' as role,"
    " cast(null as timestamp) as valid_from, cast(null as timestamp) as valid_to where false",
    "marts/profiles/bridge_user_relationships": "select '' as one_id, '' as related_one_id,"
    " '' as relationship where false",
    "marts/profiles/dim_users": "select one_id, min(c.name) as name, min(c.mobile) as mobile,"
    " min(c.birth_date) as birth_date"
    " from {{ ref('bridge_user_records') }} left join {{ ref('stg_crm__contacts') }} as c"
    " using (record_key) group by one_id",
    "marts/profiles/dim_user_tags": "select one_id, name is not null as is_named"
    " from {{ ref('dim_users') }}",
    "marts/profiles/fct_identity_changes": "select changed_at, change, one_id, previous_one_id,"
    " record_count, reason, run_id from {{ source('identity', 'changes') }}",
    "marts/profiles/one_id_redirects": "select retired_one_id, one_id"
    " from {{ source('identity', 'redirects') }}",
    "marts/metrics/metrics_rows_daily": f"select date '2026-03-01' as date, * from ({_ROWS})",
    "marts/metrics/metrics_persons_daily": "select date '2026-03-01' as date, record_count,"
    " count(*) as leads_created from {{ ref('fct_identity_changes') }} group by all",
    "marts/metrics/meta_ledger": "select source, entity, file, sha256, status, rows_in,"
    " rows_loaded, rows_quarantined, rows_duplicate, rows_suppressed"
    " from {{ source('meta', 'deliveries') }}",
    "marts/metrics/meta_snapshots": "select snapshot_id, as_of"
    " from {{ source('meta', 'next_snapshot') }}",
}


def make_models(target: Path) -> Path:
    """A project folder that dbt can build in seconds."""
    copy_skeleton(target)
    models = target / "dbt_project" / "models"
    shutil.copytree(PROJECT / "seeds", target / "seeds", dirs_exist_ok=True, ignore=_only_declared)
    for folder in ("expectations/raw", "expectations/published"):
        (target / folder).mkdir(parents=True)
    (models / "staging").mkdir()
    shutil.copy(PROJECT / "dbt_project/models/staging/_sources_raw.yml", models / "staging")
    for entity, staged in zip(ENTITIES, _STAGED, strict=True):
        shutil.copy(PROJECT / "expectations/raw" / f"{entity}.yml", target / "expectations/raw")
        (models / "staging" / staged).parent.mkdir(exist_ok=True)
        for suffix in (".sql", ".yml"):
            shutil.copy(
                PROJECT / "dbt_project/models/staging" / f"{staged}{suffix}",
                models / "staging" / f"{staged}{suffix}",
            )
    for name, text in _MODELS.items():
        file = models / f"{name}.sql"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_OPEN + text + "\n", "utf-8")
    return target


def _only_declared(folder: str, names: list[str]) -> set[str]:
    """Of the seeds what identity is declared by."""
    kept = {"identifiers.csv", "blocked_identifiers.csv", "matching"}
    return (
        set() if Path(folder).name == "matching" else {name for name in names if name not in kept}
    )
