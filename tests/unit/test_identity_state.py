"""What identity remembers between runs: only what was published, complete, for the owner's eyes."""

import stat
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from identity_cases import Identity, decision
from person_cases import with_type

from zhongtai import identity
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.identity import resolution
from zhongtai.runs import Run
from zhongtai.settings import Settings
from zhongtai.warehouse import open_build


def write_evidence(settings: Settings, **values_of: list[str]) -> None:
    """A working file in which each record names these phone numbers."""
    with open_build(settings) as build:
        build.execute("create schema if not exists intermediate")
        build.execute(
            "create or replace table intermediate.int_identity_records (source varchar,"
            " entity varchar, record_key varchar, first_seen_at timestamp, name varchar,"
            " hint varchar, birth_date date, is_organisation boolean)"
        )
        build.execute(
            "create or replace table intermediate.int_identity_attributes (source varchar,"
            " entity varchar, record_key varchar, attribute varchar, value varchar)"
        )
        build.execute(
            "create or replace table intermediate.int_identity_evidence (source varchar,"
            " entity varchar, record_key varchar, identifier_type varchar,"
            " identifier_scope varchar, identifier_value varchar, first_seen_at timestamp,"
            " last_seen_at timestamp, record_count bigint, is_verified boolean, is_edge boolean,"
            " reason varchar)"
        )
        build.execute(
            "create or replace table intermediate.int_identity_owners (identifier_type varchar,"
            " identifier_scope varchar, identifier_value varchar, name varchar)"
        )
        for key, values in values_of.items():
            build.execute(
                "insert into intermediate.int_identity_records values"
                " ('crm', 'leads', ?, timestamp '2026-01-01', null, null, null,"
                " starts_with(?, 'company'))",
                [key, key],
            )
            for value in values:
                build.execute(
                    "insert into intermediate.int_identity_evidence values ('crm', 'leads', ?,"
                    " 'mobile', '', ?, timestamp '2026-01-01', timestamp '2026-01-01', 1, false,"
                    " not starts_with(?, 'taken back'), null)",
                    [key, value, value],
                )


def record(settings: Settings, run: Run, snapshot_id: str, state: str, *, published: bool) -> None:
    with connect(settings) as connection:
        connection.execute(
            "insert into ledger.snapshots (snapshot_id, run_id, state, as_of, input_fingerprint,"
            " published_at) values (%s, %s, %s, %s, 'f', case when %s then clock_timestamp() end)",
            [snapshot_id, run.run_id, state, run.as_of, published],
        )


def ids(settings: Settings) -> dict[str, str]:
    with open_build(settings, read_only=True) as build:
        return dict(build.execute("select record_key, one_id from identity.record_map").fetchall())


def later(run: Run) -> Run:
    return Run(run.run_id, run.command, datetime(2027, 1, 1, tzinfo=UTC), run.started_at)


def test_the_next_run_starts_from_the_published_map(settings: Settings, run: Run) -> None:
    write_evidence(settings, a=["1"], b=["1"], c=["2"])
    identity.resolve(settings, run)
    first = ids(settings)
    identity.commit(settings, "s1")
    record(settings, run, "s1", "published", published=True)
    settings.warehouse_file.unlink()
    write_evidence(settings, c=["2"], b=["1"], a=["1"], d=["1"])
    report = identity.resolve(settings, later(run))
    assert report.changes == {}
    assert ids(settings) == {**first, "d": first["a"]}


def test_a_run_resolves_only_what_changes_touch(settings: Settings, run: Run) -> None:
    records = {f"r{number}": [str(number // 2)] for number in range(20)}
    write_evidence(settings, **records)
    assert identity.resolve(settings, run).full_because == "no earlier resolution is known"
    write_evidence(settings, **records, late=["3"])
    report = identity.resolve(settings, later(run))
    assert (report.full_because, report.changed, report.touched) == (None, 1, 3)
    write_evidence(settings, **{key: [*values, "all"] for key, values in records.items()})
    assert "records changed" in str(identity.resolve(settings, later(run)).full_because)


def test_other_settings_of_identifiers_resolve_everything_again(
    settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_evidence(settings, **{f"r{number}": [str(number // 2)] for number in range(20)})
    identity.resolve(settings, run)
    assert identity.resolve(settings, later(run)).full_because is None
    declared = with_type("mobile", max_holders=9)
    monkeypatch.setattr(resolution, "load_declaration", lambda _: declared)
    assert "declaration" in str(identity.resolve(settings, later(run)).full_because)


def test_a_candidate_that_was_not_published_is_no_past(settings: Settings, run: Run) -> None:
    write_evidence(settings, a=["1"])
    identity.resolve(settings, run)
    identity.commit(settings, "s1")
    record(settings, run, "s1", "held", published=False)
    report = identity.resolve(settings, later(run))
    assert report.changes == {"new": 1}


def test_after_a_rollback_who_was_shown_under_an_id_is_again_and_nobody_else(
    settings: Settings, run: Run
) -> None:
    write_evidence(settings, a=["1"])
    identity.resolve(settings, run)
    identity.commit(settings, "s1")
    record(settings, run, "s1", "published", published=True)
    write_evidence(settings, a=["1"], b=["2"])
    identity.resolve(settings, run)
    withdrawn = ids(settings)["b"]
    identity.commit(settings, "s2")
    record(settings, run, "s2", "superseded", published=True)
    write_evidence(settings, a=["1"], c=["2"])
    identity.resolve(settings, run)
    assert ids(settings)["c"] != withdrawn
    write_evidence(settings, a=["1"], b=["2"], c=["2"], d=["1"])
    report = identity.resolve(settings, later(run))
    found = ids(settings)
    assert found == {"a": found["a"], "b": withdrawn, "c": withdrawn, "d": found["a"]}
    assert report.changes == {"new": 1}
    identity.commit(settings, "s3")
    record(settings, run, "s3", "published", published=True)
    identity.resolve(settings, later(run))
    assert ids(settings) == found


def test_companies_and_values_that_are_no_edge_link_nothing(settings: Settings, run: Run) -> None:
    write_evidence(settings, a=["taken back 1"], b=["taken back 1"], company=["1"])
    report = identity.resolve(settings, run)
    assert (report.records, report.persons) == (2, 2)


def test_the_lost_map_of_the_current_snapshot_stops_the_run(settings: Settings, run: Run) -> None:
    record(settings, run, "s9", "published", published=True)
    write_evidence(settings, a=["1"])
    with pytest.raises(ZhongtaiError, match="s9"):
        identity.resolve(settings, run)


def test_a_home_published_by_the_first_version_goes_on_with_its_ids(
    tmp_path: Path,
) -> None:
    identity_of = Identity(tmp_path)
    records = {"a": ["1"], "b": ["1"], "c": ["2"]}
    first = identity_of.publish(records)
    folder = identity_of.history.previous
    assert folder is not None
    kept = {"record_map.parquet", "redirects.parquet", "changes.parquet"}
    for file in folder.iterdir():
        if file.name not in kept:
            file.unlink()
    old = pq.read_table(folder / "record_map.parquet").drop_columns(["valid_from"])
    pq.write_table(old, folder / "record_map.parquet")
    later = Identity(tmp_path, identity_of.history, days=1)
    later.decisions = [decision(1, "merge", "a", "c")]
    merged = later.publish(records)
    assert merged == dict.fromkeys(records, first["a"])
    later.decisions = []
    assert later.publish(records)["a"] == first["a"]


def test_a_map_that_lost_a_file_of_its_own_stops_the_run(tmp_path: Path) -> None:
    identity_of = Identity(tmp_path)
    identity_of.publish({"a": ["1"]})
    folder = identity_of.history.previous
    assert folder is not None
    (folder / "redirects.parquet").unlink()
    with pytest.raises(ZhongtaiError, match=r"redirects\.parquet"):
        Identity(tmp_path, identity_of.history, days=1).resolve({"a": ["1"]})


def test_a_map_can_be_committed_again_and_only_its_owner_may_read_it(
    settings: Settings, run: Run
) -> None:
    write_evidence(settings, a=["1"])
    identity.resolve(settings, run)
    identity.commit(settings, "s1")
    folder = identity.commit(settings, "s1")
    files = sorted(folder.iterdir())
    assert [file.name for file in files] == [
        "changes.parquet",
        "evidence.parquet",
        "matched_pairs.parquet",
        "past_map.parquet",
        "record_map.parquet",
        "redirects.parquet",
        "refused_links.parquet",
        "resolution",
        "review_pairs.parquet",
        "standing_decisions.parquet",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.parent.iterdir()] == ["s1"]
