"""Each role of PostgreSQL logs in and tries what it must not; the server refuses it."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from zhongtai import pipeline, quarantine
from zhongtai.access import ROLES
from zhongtai.contracts import Contracts
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError
from zhongtai.ingest import drain
from zhongtai.publish import publisher
from zhongtai.runs import Run
from zhongtai.settings import Settings
from zhongtai.status import read_status

from landing_cases import Landing
from publish_cases import build_candidate

LEADS = [
    {"线索唯一ID": "L1", "线索创建时间": "2026-03-01 10:00:00", "更新时间": "2026-03-02 10:00:00"},
    {"线索唯一ID": "", "线索创建时间": "2026-03-01 10:00:00", "更新时间": "2026-03-02 10:00:00"},
]
READ_PERSONS = (
    "select * from profiles.dim_users",
    "select * from profiles_data.dim_users",
    "copy (select * from profiles.dim_users) to stdout",
    "select * from erasure.tombstones",
)
READ_DECISIONS = ("select * from identity.decisions", "select * from tags.statements")
READ_LEDGER = (
    "select * from ledger.deliveries",
    "select * from ledger.quarantine",
    "select * from publication.pointer",
    "select * from publication.candidates",
)
READ_BEHIND = ("select * from metrics_data.dim_series", "select * from metrics_data.meta_snapshots")
WRITE_PUBLISHED = (
    "insert into metrics.dim_series (series_code) values ('x')",
    "update metrics.dim_series set name = 'x'",
    "delete from metrics.dim_series",
    "truncate metrics_data.dim_series",
    "drop view metrics.dim_series",
    "create table metrics.mine (i int)",
    "create table profiles_data.mine (i int)",
    "update publication.pointer set snapshot_id = null",
    "insert into publication.flips (snapshot_id, because) values ('x', 'x')",
)
WRITE_LEDGER = (
    "update ledger.deliveries set rows_loaded = 0, rows_in = 0",
    "update ledger.parts set rows = 0",
    "insert into ledger.quarantine (delivery_id, level, rule, reason, rows)"
    " values ('x', 'row', 'x', 'x', 1)",
)
JUDGE = (
    "update ledger.gate_results set outcome = 'passed'",
    "insert into ledger.gate_verdicts (snapshot_id, run_id, verdict, can_be_released, because)"
    " values ('x', 'x', 'passed', true, 'x')",
    "update publication.candidates set verdict = 'passed'",
    "update ledger.snapshots set state = 'published'",
)
FORGET_RUNS = ("delete from ledger.runs", "delete from ledger.node_results")
DELETE_LEDGER = (
    "delete from ledger.deliveries",
    "delete from ledger.parts",
    "delete from ledger.quarantine",
    "delete from ledger.snapshots",
    "delete from ledger.gate_verdicts",
    "delete from ledger.expirations",
    "delete from publication.flips",
    "truncate ledger.deliveries cascade",
    "drop table ledger.deliveries cascade",
)
DECIDE = (
    "insert into identity.decisions (kind) values ('merge')",
    "insert into tags.statements (tag_id) values ('x')",
    "delete from identity.decisions",
    "delete from tags.exports",
)
BREAK_OUT = (
    "create role mine superuser",
    "alter role bi_reader superuser",
    "grant profile_reader to bi_reader",
    "set role postgres",
    "alter table ledger.deliveries drop constraint balance",
    "alter table identity.decisions disable trigger keep_rows",
    "create schema mine",
    "create table public.mine (i int)",
    "copy ledger.runs to program 'true'",
    "select pg_read_file('postgresql.conf')",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
    "alter system set wal_level = minimal",
    "insert into public.zhongtai_migrations (name) values ('x')",
    "delete from public.zhongtai_migrations",
)
MUST_NOT = {
    "bi_reader": (
        *READ_PERSONS, *READ_DECISIONS, *READ_LEDGER, *READ_BEHIND, *WRITE_PUBLISHED, *FORGET_RUNS,
        *WRITE_LEDGER, *JUDGE, *DELETE_LEDGER, *DECIDE, *BREAK_OUT,
        "set role publisher", "set role loader", "set role profile_reader", "set role ops",
    ),
    "profile_reader": (
        *READ_PERSONS[1:2], *READ_PERSONS[3:], *READ_DECISIONS, *READ_LEDGER, *READ_BEHIND,
        *WRITE_PUBLISHED, *WRITE_LEDGER, *JUDGE, *DELETE_LEDGER, *FORGET_RUNS, *DECIDE,
        *BREAK_OUT, "delete from profiles.dim_users",
        "set role publisher", "set role loader", "set role ops",
    ),
    "ops": (
        *READ_PERSONS, *READ_DECISIONS, *READ_BEHIND, *WRITE_PUBLISHED, *WRITE_LEDGER, *JUDGE,
        *DELETE_LEDGER, *DECIDE, *BREAK_OUT,
        *FORGET_RUNS, "update ledger.runs set command = 'x'",
        "set role publisher", "set role loader",
    ),
    "loader": (
        *READ_PERSONS[:3], *READ_DECISIONS, *READ_BEHIND, *READ_LEDGER[2:], *WRITE_PUBLISHED,
        *JUDGE, *DELETE_LEDGER, *FORGET_RUNS, *DECIDE, *BREAK_OUT,
        "select * from metrics.dim_series", "delete from erasure.tombstones",
        "delete from erasure.erasures", "set role publisher", "set role profile_reader",
    ),
    "publisher": (
        *READ_PERSONS[3:], *WRITE_LEDGER, *DELETE_LEDGER, *DECIDE, *BREAK_OUT,
        "insert into erasure.tombstones values ('x', 'x', now())",
        "delete from erasure.erasures", "select * from tags.exports", "set role loader",
    ),
}  # fmt: skip
MAY = {
    "bi_reader": ("select count(*) from metrics.dim_series",),
    "profile_reader": (
        "select count(*) from metrics.dim_series",
        "select count(*) from profiles.dim_users",
    ),
    "ops": (
        "select count(*) from metrics.dim_series",
        "select count(*) from ledger.deliveries",
        "select count(*) from ledger.quarantine",
        "select count(*) from publication.flips",
    ),
    "loader": ("select count(*) from ledger.parts",),
    "publisher": (
        "select count(*) from profiles.dim_users",
        "select count(*) from identity.decisions",
    ),
}
ATTEMPTS = [(role, attempt) for role, attempts in MUST_NOT.items() for attempt in attempts]

Login = Callable[[str], str]


@pytest.fixture
def published(settings: Settings, contracts: Contracts, run: Run, landing: Landing) -> Settings:
    """A home with a loaded and a quarantined row, and a published snapshot."""
    landing.deliver("crm.leads", LEADS)
    drain(settings, contracts, run)
    with pytest.MonkeyPatch.context() as patch, connect(settings, autocommit=True) as connection:
        patch.setattr(publisher, "commit_identity", lambda *_: None)
        publisher.publish_candidate(settings, connection, build_candidate(settings, connection))
    return settings


@pytest.fixture
def login(database_url: str) -> Iterator[Login]:
    """Gives the URL of a user who may log in and is a member of one role only."""
    made = []
    with psycopg.connect(database_url, autocommit=True) as administrator:

        def make(role: str) -> str:
            user = f"zt_test_{role}"
            administrator.execute(
                sql.SQL("create role {} login in role {}").format(
                    sql.Identifier(user), sql.Identifier(role)
                )
            )
            made.append(user)
            return make_conninfo(database_url, user=user)

        yield make
        for user in made:
            administrator.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [user]
            )
            administrator.execute(sql.SQL("drop role {}").format(sql.Identifier(user)))


def try_all(url: str, attempts: tuple[str, ...]) -> list[str]:
    """What the server did not refuse."""
    granted = []
    with psycopg.connect(url, autocommit=True) as connection:
        for attempt in attempts:
            try:
                connection.execute(attempt.encode())
            except errors.InsufficientPrivilege:
                continue
            granted.append(attempt)
    return granted


@pytest.mark.parametrize("role", sorted(MUST_NOT))
def test_a_role_may_do_its_work_and_is_refused_all_else(
    published: Settings, login: Login, role: str, tally: Callable[[str, bool], None]
) -> None:
    assert len(MUST_NOT[role]) >= 35
    url = login(role)
    granted = try_all(url, MUST_NOT[role])
    for statement in MUST_NOT[role]:
        tally("forbidden statements over five roles", statement not in granted)
    assert granted == []
    assert try_all(url, MAY[role]) == list(MAY[role])


def test_every_role_is_tried() -> None:
    assert set(MUST_NOT) == set(MAY) == set(ROLES)
    assert len(ATTEMPTS) >= 200


def as_member(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"database_url": type(settings.database_url)(url)})


def test_a_loader_alone_takes_files_in(published: Settings, login: Login, landing: Landing) -> None:
    member = as_member(published, login("loader"))
    landing.deliver("crm.leads", [LEADS[0] | {"线索唯一ID": "L3"}], "more.csv")
    assert pipeline.ingest(member).entities["crm.leads"].rows_loaded == 1
    pipeline.replay(member, quarantine.Selection())
    with pytest.raises(ConfigurationError, match="acts as publisher"):
        pipeline.build(member)


def test_ops_alone_see_how_it_goes(published: Settings, login: Login) -> None:
    member = as_member(published, login("ops"))
    assert read_status(member).current is not None
    assert [item.rows for item in quarantine.list_(member)] == [1]
    with pytest.raises(ConfigurationError, match="acts as loader"):
        pipeline.ingest(member)


def test_a_publisher_alone_publishes_and_rolls_back(
    published: Settings, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zhongtai import publish

    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    member = as_member(published, login("publisher"))
    first = read_status(published).current
    with connect(member.acting_as("publisher"), autocommit=True) as connection:
        second = publisher.publish_candidate(
            member, connection, build_candidate(member, connection, 7)
        )
    assert first is not None
    publish.rollback(member, first.snapshot_id)
    assert publish.recover(member) == []
    with connect(published) as connection:
        assert publish.current_snapshot(connection) == first.snapshot_id != second


def test_every_step_acts_as_its_role(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(settings.acting_as("loader")) as connection:
        assert connection.execute("select current_user").fetchone() == ("loader",)
        connection.rollback()
        assert connection.execute("select current_user").fetchone() == ("loader",)
    assert settings.role == ""


def test_rights_that_somebody_added_are_taken_back_by_the_next_upgrade(
    settings: Settings,
) -> None:
    with connect(settings, autocommit=True) as connection:
        connection.execute("grant usage on schema ledger to bi_reader")
        connection.execute("grant delete on all tables in schema ledger to loader")
        connection.execute("delete from public.zhongtai_migrations where name like 'rights-%'")
    with connect(settings) as connection:
        found = connection.execute(
            "select has_schema_privilege('bi_reader', 'ledger', 'usage'),"
            " has_table_privilege('loader', 'ledger.deliveries', 'delete')"
        ).fetchone()
    assert found == (False, False)
