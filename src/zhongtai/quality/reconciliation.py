"""Reconciliation: what is published adds up to what was loaded, and dbt built all of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from zhongtai.contracts import load_contracts
from zhongtai.quality.results import Check, Evidence, Finding, OwnCheck
from zhongtai.transform import list_expected_nodes

SUITE = "reconciliation"
DBT_SUITE = "dbt"
_UNKNOWN = "is not in the ledger any more"
GOOD_STATES = ("success", "pass", "warn", "no-op")
_MODEL = "model.zhongtai."
# Fewer rows than this may go without anything being wrong.
_MANY_ROWS = 50
# What is mended is gone from these.
_MAY_EMPTY = frozenset(
    {
        "metrics.meta_quarantine_daily",
        "metrics.meta_value_issues",
        "profiles.fct_refused_links",
    }
)

# The entities whose records carry a person, and what identifies the record, as is promised.
PERSON_RECORDS = {
    "app.events": "distinct_id",
    "miniprogram.events": "distinct_id",
    "website.visits": "visitor_id",
    **dict.fromkeys(
        (
            "crm.contacts", "crm.leads", "crm.adf_leads", "crm.complaints", "crm.surveys",
            "crm.owner_contacts", "crm.wecom_contacts", "dms.customers", "dms.store_visits",
            "dms.test_drives", "dms.orders", "dms.service_orders", "dms.addon_sales",
            "partner.members", "partner.referrals",
        ),
        "record_key",
    ),
}  # fmt: skip

# A page or an event may arrive before the file with its visit; the visitor is known by then.
ALSO_SEEN_IN = {"website.visits": ("website__pages", "website__custom_events")}


@dataclass(frozen=True)
class Equality:
    """Two counts over the candidate that must be the same."""

    name: str
    because: str
    left: str
    right: str

    def find(self, evidence: Evidence) -> Finding:
        """Compare the two."""
        left, right = evidence.number(self.left), evidence.number(self.right)
        return Finding(left == right, f"{left} = {right}" if left == right else f"{left} ≠ {right}")


_EQUALITIES = (
    Equality(
        "meta_ledger_shows_every_delivery",
        "the published ledger must be the ledger",
        "select count(*) from metrics.meta_ledger",
        "select count(*) from meta.deliveries",
    ),
    Equality(
        "meta_ledger_shows_every_row",
        "the published ledger must be the ledger",
        "select sum(rows_in) from metrics.meta_ledger",
        "select sum(rows_in) from meta.deliveries",
    ),
    Equality(
        "every_lead_is_a_fact",
        "a lead lost in a join would be missing from every funnel number",
        "select count(*) from intermediate.int_leads",
        "select (select count(*) from staging.stg_crm__leads)"
        " + (select count(*) from staging.stg_crm__adf_leads)",
    ),
    Equality(
        "every_lead_is_in_the_funnel",
        "leads created and test leads together are all leads with a readable time, each once",
        "select sum(leads_created) + sum(leads_test) from metrics.metrics_lead_funnel_daily",
        "select count(*) from intermediate.int_leads where created_at is not null",
    ),
    Equality(
        "every_complaint_is_counted",
        "each complaint with a readable time is accepted on exactly one date",
        "select sum(accepted) from metrics.metrics_complaint_daily",
        "select count(*) from staging.stg_crm__complaints where accepted_at is not null",
    ),
    Equality(
        "every_valid_response_is_in_the_score",
        "an answer lost in a join would be missing from the score of its adviser",
        "select coalesce(sum(nps_den), 0) from metrics.metrics_nps_monthly",
        "select count(*) from staging.stg_crm__surveys"
        " where submitted_at is not null and recommend_score between 0 and 10",
    ),
    Equality(
        "every_post_is_published_once",
        "a post that is counted on two days, or on none, makes its author's work wrong",
        "select coalesce(sum(content_posts), 0) from metrics.metrics_content_daily",
        "select count(distinct post_id) from staging.stg_workforce__content_posts"
        " where stat_on is not null or posted_at is not null",
    ),
    Equality(
        "every_assignment_that_fell_due_is_counted",
        "an assignment that is lost makes the rest look better than it is",
        "select coalesce(sum(training_completion_den), 0) from metrics.metrics_training_monthly",
        "select count(*) from staging.stg_workforce__training_records"
        " where due_at <= (select as_of from meta.run_context)",
    ),
    Equality(
        "no_record_has_two_persons",
        "a record that is in the bridges twice would count its person twice",
        "select count(*) from (select source, entity, record_key from profiles.bridge_user_records"
        " union all select source, entity, record_key from profiles.bridge_organisation_records)",
        "select count(*) from (select source, entity, record_key from profiles.bridge_user_records"
        " union select source, entity, record_key from profiles.bridge_organisation_records)",
    ),
    Equality(
        "every_record_leads_to_a_user",
        "a one_id without a profile would drop out of every join",
        "select count(*) from profiles.bridge_user_records",
        "select count(*) from profiles.bridge_user_records"
        " where one_id in (select one_id from profiles.dim_users)",
    ),
    Equality(
        "every_user_has_a_record",
        "a profile without a record is nobody",
        "select count(*) from profiles.dim_users",
        "select count(distinct one_id) from profiles.bridge_user_records",
    ),
    Equality(
        "every_user_has_a_row_of_tags",
        "the wide tag table covers the population, those without any tag included",
        "select count(*) from profiles.dim_user_tags",
        "select count(*) from profiles.dim_users",
    ),
    Equality(
        "tag_counts_are_the_tags_held",
        "what is published about tags must be what persons have",
        "select sum(users) from metrics.metrics_tag_daily"
        " where date = (select max(date) from metrics.metrics_tag_daily)",
        "select count(*) from profiles.fct_user_tags where valid_to is null",
    ),
)


def _find_ledger_differences(evidence: Evidence) -> Finding:
    """The deliveries that the candidate was built from are those of the ledger, row for row."""
    ids = [
        row[0]
        for row in evidence.warehouse.execute("select delivery_id from meta.deliveries").fetchall()
    ]
    row = evidence.ledger.execute(
        "select count(*), coalesce(sum(rows_in), 0), coalesce(sum(rows_loaded), 0)"
        " from ledger.deliveries where delivery_id = any(%s)",
        [ids],
    ).fetchone()
    built = evidence.warehouse.execute(
        "select count(*), coalesce(sum(rows_in), 0), coalesce(sum(rows_loaded), 0)"
        " from meta.deliveries"
    ).fetchone()
    there = tuple(int(n) for n in row or ())
    here = tuple(int(n) for n in built or ())
    shown = f"deliveries, rows in, rows loaded: ledger {there}, candidate {here}"
    return Finding(there == here, shown)


def _find_staging_differences(evidence: Evidence) -> Finding:
    """Every key that was loaded is in staging, once."""
    from zhongtai.ingest.parts import RESTORE_HINT, describe_lost, find_lost

    contracts = load_contracts(evidence.settings.project_dir)
    compared, wrong, keys = 0, [], 0
    for contract in contracts.values():
        parts = _loaded_parts(evidence, contract.source, contract.entity)
        table = f"stg_{contract.table}"
        if not parts:
            continue
        compared += 1
        if not evidence.has_table("staging", table):
            wrong.append(f"{contract.name}: no staging table")
            continue
        if lost := find_lost({p: evidence.footers.get(p, _UNKNOWN) for p in parts}):
            wrong.append(f"{contract.name}: {describe_lost(lost, parts)}: {RESTORE_HINT}")
            continue
        loaded = _count_keys(evidence, parts)
        staged = evidence.number(f"select count(*) from staging.{table}")  # noqa: S608  # a contract's name
        keys += loaded
        if loaded != staged:
            wrong.append(f"{contract.name}: {loaded} keys loaded, {staged} rows in staging")
    shown = f"{compared} entities, {keys} keys"
    return Finding(not wrong, "; ".join([shown, *wrong]))


def _count_keys(evidence: Evidence, parts: Iterable[str]) -> int:
    """The different keys in parts of the raw zone."""
    files = [f"{evidence.settings.lake_url}/{part}" for part in parts]
    row = evidence.warehouse.execute(
        "select count(distinct _key_hash) from read_parquet(?)", [files]
    ).fetchone()
    return int(row[0]) if row else 0


def _loaded_parts(evidence: Evidence, source: str, entity: str) -> dict[str, str]:
    """The parts that this candidate was built from, with the delivered file of each."""
    found = evidence.warehouse.execute(
        "select parts.part, deliveries.file from meta.parts as parts"
        " join meta.deliveries as deliveries using (delivery_id)"
        " where deliveries.source = ? and deliveries.entity = ? and parts.rows > 0"
        " order by parts.part",
        [source, entity],
    ).fetchall()
    return dict(found)


def _find_uncovered_records(evidence: Evidence) -> Finding:
    """Every person-carrying record is in one of the two bridges."""
    compared, records, wrong = 0, 0, []
    for name, key in PERSON_RECORDS.items():
        source, entity = name.split(".")
        seen = " union all ".join(
            f"select {key} from staging.stg_{table}"  # noqa: S608  # names of our own
            for table in (f"{source}__{entity}", *ALSO_SEEN_IN.get(name, ()))
        )
        staged = evidence.number(f"select count(distinct {key}) from ({seen})")  # noqa: S608  # as above
        bridged = evidence.number(
            "select count(*) from (select source, entity from profiles.bridge_user_records"  # noqa: S608  # names of our own
            " union all select source, entity from profiles.bridge_organisation_records)"
            f" where source = '{source}' and entity = '{entity}'"
        )
        compared += 1
        records += staged
        if staged != bridged:
            wrong.append(f"{name}: {staged} records, {bridged} in the bridges")
    return Finding(not wrong, "; ".join([f"{compared} entities, {records} records", *wrong]))


def _find_failed_nodes(evidence: Evidence) -> Finding:
    """Every model, seed and test that dbt ran for this candidate ended well, and some did run."""
    nodes = _list_nodes(evidence)
    bad = [f"{node} ({status})" for node, status in nodes.items() if status not in GOOD_STATES]
    if not nodes:
        return Finding(False, f"dbt recorded nothing for run {evidence.build_run_id}")
    return Finding(not bad, "; ".join([f"{len(nodes)} nodes, {len(bad)} not well", *bad[:10]]))


def _find_unbuilt(evidence: Evidence) -> Finding:
    """Every table above staging was built by this run, and every test of one was made."""
    nodes = _list_nodes(evidence)
    rows = evidence.warehouse.execute(
        "select schema_name, table_name from duckdb_tables()"
        " where schema_name in ('metrics', 'profiles') and not contains(table_name, '__dbt_')"
        " order by all"
    ).fetchall()
    wrong = [f"{s}.{t} is not of this run" for s, t in rows if f"{_MODEL}{t}" not in nodes]
    expected = list_expected_nodes(evidence.settings)
    wrong += [f"{node} did not run" for node in expected if node not in nodes]
    if not expected:
        wrong.append("dbt left no list of its nodes")
    shown = f"{len(rows)} tables, {len(expected)} models and tests"
    return Finding(not wrong, "; ".join([shown, *wrong[:10]]))


def _list_nodes(evidence: Evidence) -> dict[str, str]:
    """Status of every node that dbt ran for this candidate."""
    found = evidence.ledger.execute(
        "select node, status from ledger.node_results where run_id = %s order by node",
        [evidence.build_run_id],
    )
    return dict(found.fetchall())


def _find_emptied(evidence: Evidence) -> Finding:
    """No table of the snapshot that readers see has lost all its rows."""
    before = evidence.ledger.execute(
        "select store, table_name, rows from publication.parts"
        " join publication.pointer using (snapshot_id) where rows >= %s order by 1, 2",
        [_MANY_ROWS],
    ).fetchall()
    emptied = [
        f"{store}.{table} had {rows} rows"
        for store, table, rows in before
        if f"{store}.{table}" not in _MAY_EMPTY
        and evidence.has_table(store, table)
        and not evidence.number(f'select count(*) from {store}."{table}"')  # noqa: S608  # names of our own
    ]
    return Finding(not emptied, "; ".join([f"{len(before)} tables with rows before", *emptied]))


CHECKS = (
    OwnCheck(
        Check(
            DBT_SUITE,
            "every_node_succeeded",
            "critical",
            "a model, contract or test that failed leaves tables that are wrong or old",
        ),
        _find_failed_nodes,
    ),
    OwnCheck(
        Check(
            DBT_SUITE,
            "every_table_is_of_this_run",
            "critical",
            "a step or test that was left out leaves tables of an earlier run, or unlooked at",
        ),
        _find_unbuilt,
    ),
    OwnCheck(
        Check(
            SUITE,
            "no_table_was_emptied",
            "critical",
            "a table without rows breaks no rule about rows: it is a step that went wrong far"
            " more often than news",
        ),
        _find_emptied,
    ),
    OwnCheck(
        Check(
            SUITE,
            "candidate_was_built_from_the_ledger",
            "critical",
            "the deliveries the candidate shows must be the ones that count",
        ),
        _find_ledger_differences,
    ),
    OwnCheck(
        Check(
            SUITE,
            "every_loaded_key_is_in_staging",
            "critical",
            "a row lost between the raw zone and staging is lost for every table",
        ),
        _find_staging_differences,
    ),
    OwnCheck(
        Check(
            SUITE,
            "every_person_record_is_bridged",
            "critical",
            "a record without a person or organisation would be missing from profiles",
        ),
        _find_uncovered_records,
    ),
    *(OwnCheck(Check(SUITE, e.name, "critical", e.because), e.find) for e in _EQUALITIES),
)
