"""Every table, key and measure that the output contract names is published, under its name.

The lists are those that readers were promised, kept by hand: a column may be added to a table,
and then need not stand here; one that stands here may never go.
"""

import json
from pathlib import Path
from typing import Any

import pytest

PROFILES = """
dim_users: one_id name gender birth_date mobile email province city is_owner is_staff is_partner
  allows_marketing lifecycle_stage nurture_pool lead_tier first_seen_at last_seen_at source_count
  record_count identity_version
dim_users_sources: one_id attribute value source entity record_key observed_at rule rejected_count
bridge_user_records: source entity record_key one_id linked_by linked_at
bridge_organisation_records: source entity record_key organisation_id
bridge_user_identifiers: identifier_type identifier_scope identifier_value one_id is_shared
  first_seen_at last_seen_at record_count
bridge_user_vehicles: one_id vin role valid_from valid_to
bridge_user_relationships: one_id related_one_id relationship evidence
dim_organisations: organisation_id name dealer_code record_count
fct_identity_changes: changed_at change one_id previous_one_id record_count reason run_id
fct_refused_links: source entity record_key other_source other_entity other_record_key
  identifier_type reason run_id
one_id_redirects: retired_one_id one_id since
dim_user_tags: one_id
fct_user_tags: one_id tag_id tag_version value valid_from valid_to source
fct_commission_accruals: accrual_id staff_id component one_id order_no base_fen rate accrued_fen
  accrued_at reverses_id because
fct_referral_rewards: referral_id member_code one_id due_fen paid_fen status decided_at
dim_staff_names: staff_id name
dim_member_names: member_code name
fct_user_scores: one_id model model_version score band scored_at reasons
fct_next_actions: one_id action staff_id because due_at
"""
# `name/` stands for the three columns of a ratio
METRICS = """
metrics_lead_funnel_daily: date channel_1 channel_2 channel_3 channel_4 series_code dealer_code
  region tier leads_created leads_test leads_staff leads_valid duplicate_rate/ dispatch_rate/
  connect_rate/ effective_call_rate/ same_day_contact_rate/ visit_rate_7d/ visit_rate_14d/
  visit_rate_30d/ test_drive_rate_7d/ test_drive_rate_14d/ test_drive_rate_21d/
  test_drive_rate_30d/ order_rate_30d/ order_rate_60d/ order_rate_90d/ delivery_rate_90d/
  delivery_rate_180d/ lost_rate/ subjective_lost_rate/ small_order_lock_rate/
  stage_lag_p50 stage_lag_p90 stage_lag_dispatch_p50 stage_lag_dispatch_p90
  stage_lag_delivery_p50 stage_lag_delivery_p90
metrics_sales_daily: date series_code dealer_code region store_visits test_drives orders_small
  orders_large orders_locked orders_cancelled deliveries deliveries_returned revenue_fen
metrics_response_daily: date dealer_code region channel_1 first_response_timely_rate_30m/
  first_response_timely_rate_60m/ first_response_timely_rate_240m/ first_response_timely_rate_720m/
metrics_nurture_pool_daily: date pool from_tier to_tier region pool_size upgrade_rate_30d/
  pool_leak_rate_30d/ dwell_days_p50 dwell_days_p90 tier_precision/ nurture_touch_gap/
metrics_lifecycle_daily: date lifecycle_stage region
metrics_behaviour_rule_weekly: week rule series_code rule_hits rule_precision_72h/ base_rate_72h/
  lift claimed
metrics_score_calibration_weekly: week model version score_band brier ece_10 slope intercept psi
  topk_capture/
metrics_complaint_daily: date level type source dealer_code region accepted contact_24h_rate/
  resolved_1d_rate/ resolved_3d_rate/ resolved_7d_rate/ closed_loop_rate/ closed_loop_24h_rate/
  reopen_rate_30d/ misleading_share/ dispatch_to_adviser_p90 complaints_per_1000_owners
metrics_quality_issue_daily: date series_code fault_part source
metrics_referral_member_monthly: month member_kind department registered_members
  referral_valid_orders lead_capture_rate_members/ lead_capture_rate_visitors/
metrics_referral_ranking_monthly: month member_code
metrics_commission_monthly: month staff_id component accrued_fen reversed_fen net_fen
metrics_assessment_monthly: month staff_id deals revenue_fen first_response_timely_rate/ nps_num
  nps_den content_posts peer_score performance_score user_score process_score score coverage
metrics_assessment_yearly: year staff_id
metrics_nps_monthly: month survey_kind dealer_code staff_id nps/
metrics_bonus_pool_monthly: month staff_id
metrics_owner_care_monthly: month dealer_code staff_id owner_touch_90d/ proactive_share/
  silent_180_rate/ day7_visit_rate/ repurchase_rate_36m/ repurchase_rate_60m/ referral_rate_12m/
  service_active/
metrics_ltv_monthly: month region
metrics_training_monthly: month staff_id training_completion/ points level
metrics_content_daily: date staff_id platform views likes saves comments shares followers
metrics_campaign_daily: date campaign_code
metrics_region_weekly: week region joint_conversion/ joint_nps/ meeting_action_close_rate/
metrics_dual_link_daily: date dealer_code
metrics_fleet_software_daily: date series_code software_version stock_status
metrics_tag_daily: date tag_id value
dim_dealers: dealer_code
dim_regions: region
dim_series: series_code
dim_staff: staff_id
dim_campaigns: campaign_code
dim_dates: date
dim_tags: tag_id
meta_snapshots: snapshot_id
meta_freshness: source entity status
meta_ledger: source entity file sha256 rows_in rows_loaded rows_quarantined rows_duplicate
  rows_suppressed status reason loaded_at run_id
meta_quarantine_daily: date source entity file reason
meta_gate_results: run_id suite expectation severity success observed because
meta_metric_catalogue: metric table column definition numerator denominator unit owner
"""


def contract(text: str) -> dict[str, set[str]]:
    """Columns by table."""
    found: dict[str, set[str]] = {}
    for line in text.strip().replace("\n  ", " ").splitlines():
        table, _, names = line.partition(": ")
        columns = found.setdefault(table, set())
        for name in names.split():
            stem = name.removesuffix("/")
            ends = ("_num", "_den", "") if name.endswith("/") else ("",)
            columns.update(stem + end for end in ends)
    return found


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    from zhongtai.settings import load_settings
    from zhongtai.transform import parse_project

    home = tmp_path_factory.mktemp("manifest")
    manifest = json.loads(parse_project(load_settings(home=home)).read_text("utf-8"))
    return {
        (node["schema"], node["name"]): node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }


@pytest.mark.parametrize(
    ("store", "text", "at_least"), [("profiles", PROFILES, 19), ("metrics", METRICS, 38)]
)
def test_every_table_and_column_of_the_contract_is_published(
    models: dict[tuple[str, str], dict[str, Any]], store: str, text: str, at_least: int
) -> None:
    wanted = contract(text)
    assert len(wanted) >= at_least
    missing = {table for table in wanted if (store, table) not in models}
    assert missing == set()
    for table in wanted:
        there = {name.strip('"') for name in models[store, table]["columns"]}
        missing |= {f"{table}.{name}" for name in wanted[table] - there}
    assert missing == set()


def test_every_shared_metrics_table_is_used_by_a_dashboard(
    models: dict[tuple[str, str], dict[str, Any]],
) -> None:
    import yaml

    file = Path(__file__).parents[2] / "dbt_project" / "models" / "exposures.yml"
    exposures = yaml.safe_load(file.read_text("utf-8"))["exposures"]
    used = {ref for exposure in exposures for ref in exposure["depends_on"]}
    shared = {f"ref('{name}')" for store, name in models if store == "metrics"}
    unknown, unread = used - shared, {ref for ref in shared - used if "'metrics_" in ref}
    assert not unknown
    assert not unread, f"{file.name} says who reads a table"


def test_the_page_of_the_metrics_is_what_the_models_say() -> None:
    from zhongtai.metric_pages import metric_page

    root = Path(__file__).parents[2]
    page = (root / "docs" / "metrics.md").read_text("utf-8")
    assert page == metric_page(root), "write it again: zhongtai generate docs"
    assert page.count("\n## metrics_") >= 9
