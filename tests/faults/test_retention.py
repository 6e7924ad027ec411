"""What is past its retention period leaves every layer, counted, and nothing else does."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import erasure_cases
import psycopg
import pytest
from erasure_cases import count_rows, find_bytes

from zhongtai import retention
from zhongtai.contracts import Contracts, load_contracts
from zhongtai.contracts.model import Retention
from zhongtai.database import connect
from zhongtai.erasure import snapshots
from zhongtai.erasure.erasures import Asked, find_published
from zhongtai.ingest import drain
from zhongtai.pipeline import erase
from zhongtai.publish import publisher
from zhongtai.quality import balance
from zhongtai.quality.results import Evidence
from zhongtai.quarantine import replay
from zhongtai.retention.periods import cutoff
from zhongtai.runs import Run
from zhongtai.settings import Settings
from zhongtai.warehouse import open_build, prepare

from landing_cases import PROJECT, Landing

AS_OF = datetime(2026, 3, 10, 4, tzinfo=UTC)
# leads are kept for 1095 days: what is older than the March three years ago is due
OLD, EDGE, NEW = "2023-03-31 23:59:59", "2023-04-01 00:00:00", "2026-03-02 10:00:00"


def lead(key: str, updated_at: str, **changes: str) -> dict[str, str]:
    return {
        "线索唯一ID": key,
        "客户姓名": f"姓名{key}",
        "线索创建时间": updated_at,
        "更新时间": updated_at,
    } | changes


def event(number: int, time: str) -> dict[str, object]:
    moment = datetime.fromisoformat(f"{time}+08:00")
    return {
        "type": "track",
        "event": "ViewSeries",
        "distinct_id": f"DEVICE-{number}",
        "time": int(moment.timestamp() * 1000),
        "_track_id": number,
        "properties": {},
    }


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    with connect(settings, autocommit=True) as opened:
        yield opened


def expire(
    settings: Settings, contracts: Contracts, run: Run, as_of: datetime = AS_OF
) -> retention.Expired:
    return retention.remove_due(settings, contracts, replace(run, as_of=as_of), lambda _: None)


def read_keys(settings: Settings, contracts: Contracts, run: Run, table: str) -> list[str]:
    """What a build would read of the raw zone."""
    prepare(settings, contracts, run)
    key = contracts[table.replace("__", ".", 1)].key[-1]
    with open_build(settings) as build:
        rows = build.execute(f'select "{key}" from raw.{table} order by 1').fetchall()
    return [row[0] for row in rows]


def read_expirations(connection: psycopg.Connection) -> list[tuple[str, str, int]]:
    return connection.execute(
        "select d.file, e.layer, e.rows from ledger.expirations e"
        " join ledger.deliveries d using (delivery_id) order by e.sequence"
    ).fetchall()


def assert_balanced(settings: Settings, connection: psycopg.Connection) -> None:
    with duckdb.connect() as nothing:
        evidence = Evidence(settings, nothing, connection, "")
        wrong = [r for r in (c.run(evidence) for c in balance.CHECKS) if r.outcome != "passed"]
    assert wrong == []


def test_old_rows_leave_and_are_counted(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    landing: Landing,
    connection: psycopg.Connection,
) -> None:
    rows = [lead("L-OLD", OLD), lead("L-EDGE", EDGE), lead("L-NEW", NEW)]
    rows.append(lead("", OLD, 客户姓名="姓名L-BAD-OLD"))
    rows.append(lead("", NEW, 客户姓名="姓名L-BAD-NEW"))
    landing.deliver("crm.leads", rows)
    drain(settings, contracts, run)
    would = retention.count_expired(settings, contracts, AS_OF)
    assert would.counts == {"crm.leads": (1, 1, 0)}
    assert count_rows(connection) == {"crm/leads/data.csv": (5, 3, 2, 0, 0)}
    assert expire(settings, contracts, run).counts == would.counts
    assert count_rows(connection) == {"crm/leads/data.csv": (5, 2, 1, 0, 2)}
    assert read_keys(settings, contracts, run, "crm__leads") == ["L-EDGE", "L-NEW"]
    file = "crm/leads/data.csv"
    assert read_expirations(connection) == [(file, "quarantine", 1), (file, "raw", 1)]
    assert_balanced(settings, connection)
    settings.warehouse_file.unlink()
    assert find_bytes(settings.path(), {"L-OLD", "L-BAD-OLD", "姓名L-OLD"}) == {}
    assert expire(settings, contracts, run).counts == {}
    assert replay(settings, contracts, run).rows_loaded == 0


def test_what_is_delivered_again_leaves_again(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    landing: Landing,
    connection: psycopg.Connection,
) -> None:
    old, new = [event(number, OLD) for number in (1, 2)], event(3, NEW)
    content = landing.content(contracts["app.events"], [*old, new, old[0]])
    landing.deliver("app.events", gzip.compress(content), "a.jsonl.gz")
    drain(settings, contracts, run)
    assert expire(settings, contracts, run).counts == {"app.events": (3, 0, 0)}
    first = (4, 1, 0, 0, 3)
    assert count_rows(connection) == {"app/events/a.jsonl.gz": first}
    landing.deliver("app.events", [old[0], new], "b.jsonl")
    drain(settings, contracts, run)
    assert expire(settings, contracts, run).counts == {"app.events": (1, 0, 0)}
    assert count_rows(connection) == {
        "app/events/a.jsonl.gz": first,
        "app/events/b.jsonl": (2, 0, 0, 1, 1),
    }
    assert_balanced(settings, connection)


def test_a_file_set_aside_whole_leaves_when_its_time_is_over(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    landing: Landing,
    connection: psycopg.Connection,
) -> None:
    file = landing.deliver("crm.leads", [lead("L-1", NEW), lead("L-2", NEW)])
    for manifest in file.parent.glob("*.manifest.json"):
        manifest.unlink()
    landing.name_in_manifest(file, rows=9)
    drain(settings, contracts, run)
    assert expire(settings, contracts, run).counts == {}
    connection.execute("update ledger.deliveries set loaded_at = %s", ["2023-01-01"])
    next_month = AS_OF + timedelta(days=31)
    assert expire(settings, contracts, run, next_month).counts == {"crm.leads": (0, 0, 1)}
    assert count_rows(connection) == {"crm/leads/data.csv": (2, 0, 0, 0, 2)}
    assert read_expirations(connection) == [("crm/leads/data.csv", "quarantined file", 2)]
    assert find_bytes(settings.path(), {"L-1"}) == {}
    assert_balanced(settings, connection)


def test_a_time_that_nobody_can_believe_does_not_keep_a_row(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    landing: Landing,
    connection: psycopg.Connection,
) -> None:
    rows = [
        {"客户ID": "C-FUTURE", "更新时间": "2199-01-01 00:00:00"},
        {"客户ID": "C-NONE", "更新时间": "unknown"},
    ]
    landing.deliver("crm.contacts", rows)
    drain(settings, contracts, run)
    in_nine_years = datetime.now(UTC) + timedelta(days=9 * 365)
    in_eleven = datetime.now(UTC) + timedelta(days=11 * 365)
    assert retention.count_expired(settings, contracts, in_nine_years).counts == {}
    due = retention.count_expired(settings, contracts, in_eleven).counts
    assert due == {"crm.contacts": (2, 0, 0)}
    # an as-of that is still to come deletes nothing
    assert expire(settings, contracts, run, in_eleven).counts == {}


def test_archive_and_own_landing_zone_lose_the_file_and_a_foreign_one_is_told(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    landing: Landing,
    tmp_path: Path,
) -> None:
    archiving = settings.model_copy(update={"archive": True})
    landing.deliver("crm.leads", [lead("L-OLD", OLD), lead("L-NEW", NEW)])
    drain(archiving, contracts, run)
    assert [f.name for f in settings.path("archive").rglob("*.csv")] == ["data.csv"]
    expire(settings, contracts, run)
    assert list(settings.path("archive").rglob("*.csv")) == []
    elsewhere = settings.model_copy(update={"landing": str(tmp_path / "theirs")})
    theirs = Landing(Path(elsewhere.landing_url), contracts)
    file = theirs.deliver("crm.leads", [lead("L-OLDER", OLD)], "theirs.csv")
    drain(elsewhere, contracts, run)
    assert expire(elsewhere, contracts, run).landing == ["crm/leads/theirs.csv"]
    assert file.exists()


def test_looking_again_reads_only_what_is_new(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    landing: Landing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from zhongtai.retention.expiry import _ExpiringRaw

    looked: list[int] = []
    find = _ExpiringRaw._find
    monkeypatch.setattr(
        _ExpiringRaw,
        "_find",
        lambda self, contract, parts: (looked.append(len(parts)), find(self, contract, parts)),
    )
    landing.deliver("crm.leads", [lead("L-1", NEW)], "a.csv")
    landing.deliver("crm.leads", [lead("L-2", NEW)], "b.csv")
    drain(settings, contracts, run)
    expire(settings, contracts, run)
    expire(settings, contracts, run)
    landing.deliver("crm.leads", [lead("L-3", NEW)], "c.csv")
    drain(settings, contracts, run)
    expire(settings, contracts, run)
    next_month = AS_OF + timedelta(days=31)
    expire(settings, contracts, run, next_month)
    assert looked == [2, 1, 3]


def test_a_command_of_its_own_does_the_same(
    settings: Settings, contracts: Contracts, run: Run, landing: Landing
) -> None:
    landing.deliver("crm.leads", [lead("L-OLD", OLD), lead("L-NEW", NEW)])
    drain(settings, contracts, run)
    assert retention.enforce(settings, AS_OF, lambda _: None).rows == 1
    with connect(settings) as connection:
        runs = connection.execute("select status from ledger.runs where command = 'retention'")
        assert runs.fetchall() == [("done",)]


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ("2026-03-31T16:00+00:00", "2026-03-01T00:00+08:00"),
        ("2026-03-31T15:59+00:00", "2026-03-01T00:00+08:00"),
        ("2026-03-31T16:01+00:00", "2026-04-01T00:00+08:00"),
        ("2027-01-30T00:00+08:00", "2027-01-01T00:00+08:00"),
    ],
)
def test_a_row_is_never_kept_longer_than_its_period(as_of: str, expected: str) -> None:
    period = Retention(days=31, since="x", because="")
    moment = datetime.fromisoformat(as_of)
    found = cutoff(period, moment)
    assert found == datetime.fromisoformat(expected)
    assert timedelta() <= found - (moment - timedelta(days=31)) <= timedelta(days=31)


def test_whatever_holds_personal_data_has_a_period() -> None:
    contracts = load_contracts(PROJECT)
    personal = [c for c in contracts.values() if any(x.pii != "none" for x in c.columns)]
    assert len(personal) >= 25
    assert [c.name for c in personal if c.retention is None] == []
    assert min(c.retention.days for c in personal if c.retention) >= 365


def test_bytes_that_came_twice_are_erased_once(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    landing: Landing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A repeated delivery has no rows of its own set aside."""
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    monkeypatch.setattr(snapshots, "ready_bitmaps", lambda *_: None)
    erasure_cases.fill(settings, contracts, run, landing)
    unreadable = {"跟进ID": "F-AGAIN", "跟进时间": "soon"}
    rows = [erasure_cases.follow_up("BRAVO", **unreadable)]
    for name in ("one.csv", "two.csv"):
        landing.deliver("crm.follow_ups", rows, name)
    drain(settings, contracts, run)
    asked = Asked("mobile", f"+86{erasure_cases.PERSONS['BRAVO']['mobile']}")
    assert find_published(settings, asked).one_id == "u_b"
    removal = erase(settings, asked, author="mei", because="ticket 1")
    assert removal.counts["quarantine: rows"] >= 2
    with connect(settings) as connection:
        counts = count_rows(connection)
        assert counts["crm/follow_ups/one.csv"] == (1, 0, 0, 0, 1)
        assert counts["crm/follow_ups/two.csv"] == (1, 0, 0, 1, 0)
        assert_balanced(settings, connection)
    assert json.dumps(removal.counts)


@pytest.mark.parametrize("is_enforced", [False, True])
def test_a_build_lets_rows_go_where_the_setting_says_so(
    settings: Settings,
    contracts: Contracts,
    run: Run,
    landing: Landing,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_enforced: bool,
) -> None:
    from zhongtai import build, pipeline

    class ReachedError(Exception):
        """Everything that comes before the models is done."""

    def stop(*_: object, **__: object) -> None:
        raise ReachedError

    landing.deliver("crm.leads", [lead("L-OLD", OLD), lead("L-NEW", NEW)])
    drain(settings, contracts, run)
    monkeypatch.setattr(build, "fingerprint_inputs", stop)
    switched = settings.model_copy(update={"enforce_retention": is_enforced})
    with pytest.raises(ReachedError):
        pipeline.build(switched, AS_OF)
    with connect(settings) as connection:
        expired = connection.execute("select sum(rows) from ledger.expirations").fetchone()
    assert expired == ((1,) if is_enforced else (None,))
