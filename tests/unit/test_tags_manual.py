"""Tags that people set at the command line: who is meant, what is refused, what a build gets."""

from datetime import UTC, datetime

import duckdb
import psycopg
import pytest
from audience_cases import insert, publish

from zhongtai.build import fingerprint_inputs
from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.settings import Settings
from zhongtai.tags import load_history, load_statements
from zhongtai.tags.manual import list_statements, state

LATER = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture
def published(settings: Settings) -> Settings:
    mobile = {"identifier_type": "mobile"}
    publish(
        settings,
        [{"one_id": "u_1"}, {"one_id": "u_2"}],
        tags={"vip": bool},
        records=[{"source": "crm", "entity": "leads", "record_key": "L-1", "one_id": "u_1"}],
        redirects={"u_gone": "u_2"},
        identifiers=[
            {**mobile, "identifier_value": "+8613812345678", "one_id": "u_1"},
            {**mobile, "identifier_value": "+8613900000001", "one_id": "u_1"},
            {**mobile, "identifier_value": "+8613900000001", "one_id": "u_2"},
            {**mobile, "identifier_value": "+8613900000002", "one_id": "u_2", "is_shared": True},
        ],
    )
    return settings


def say(settings: Settings, person: str, value: str | None = "true", tag: str = "vip") -> str:
    return str(state(settings, tag, person, value, author="mei", because="ticket 88"))


def test_a_person_is_named_by_a_record_an_identifier_or_a_one_id(published: Settings) -> None:
    say(published, "crm:leads:L-1")
    assert "138" not in say(published, "mobile=138 1234 5678").split("for")[0]
    say(published, "u_gone", None)
    found = list_statements(published)
    assert [s.subject.named for s in found] == ["record", "identifier", "person"]
    assert found[1].subject.identifier_value == "+8613812345678"
    assert found[2].subject.one_id == "u_2"
    assert [s.value for s in found] == ["true", "true", None]
    assert {(s.author, s.reason) for s in found} == {("mei", "ticket 88")}


def test_what_is_told_of_a_statement_masks_the_identifier(published: Settings) -> None:
    told = say(published, "mobile=13812345678")
    assert "13812345678" not in told
    assert "5678" in told


@pytest.mark.parametrize(
    ("person", "value", "tag", "expected"),
    [
        ("crm:leads:L-9", "true", "vip", "no record crm:leads:L-9"),
        ("u_nobody", "true", "vip", "no person u_nobody"),
        ("mobile=13999999999", "true", "vip", "nobody is known by mobile="),
        ("mobile=13900000001", "true", "vip", "shared by several persons"),
        ("mobile=13900000002", "true", "vip", "shared by several persons"),
        ("somebody", "true", "vip", "names no person"),
        ("u_1", "true", "test_driven", "given by its rule"),
        ("u_1", "true", "no_such_tag", "no published tag no_such_tag"),
        ("u_1", "perhaps", "vip", "a tag of yes or no"),
        ("u_1", "true", "care_level", "needs a value"),
    ],
)
def test_what_cannot_hold_is_refused_and_not_recorded(
    published: Settings, person: str, value: str, tag: str, expected: str
) -> None:
    with pytest.raises(ZhongtaiError, match=expected):
        say(published, person, value, tag)
    assert list_statements(published) == []


def test_an_end_that_is_past_and_a_missing_reason_are_refused(published: Settings) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(ConfigurationError, match="is past"):
        state(published, "vip", "u_1", "true", author="mei", because="x", expires_at=past)
    with pytest.raises(ConfigurationError, match="reason of the statement is empty"):
        state(published, "vip", "u_1", "true", author="mei", because=" ")


def test_statements_stay_as_they_were_made(published: Settings) -> None:
    say(published, "u_1")
    with (
        connect(published) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="are kept"),
    ):
        connection.execute("update tags.statements set value = null")


def test_a_statement_makes_the_next_build_new(published: Settings) -> None:
    as_of = datetime(2026, 4, 1, tzinfo=UTC)
    with connect(published) as connection:
        before = fingerprint_inputs(published, connection, as_of, is_explicit=True)
        say(published, "u_1")
        after = fingerprint_inputs(published, connection, as_of, is_explicit=True)
    assert before.fingerprint != after.fingerprint


def test_a_build_reads_every_statement_with_naive_times(published: Settings) -> None:
    published.warehouse_file.parent.mkdir(parents=True)
    assert load_statements(published) == 0
    say(published, "crm:leads:L-1")
    state(published, "vip", "u_1", "true", author="mei", because="x", expires_at=LATER)
    assert load_statements(published) == 2
    with duckdb.connect(str(published.warehouse_file)) as build:
        rows = build.execute(
            "select statement_id, subject, source, record_key, one_id, typeof(said_at), expires_at"
            " from tags.statements order by statement_id"
        ).fetchall()
    assert rows == [
        (1, "record", "crm", "L-1", None, "TIMESTAMP", None),
        (2, "person", None, None, "u_1", "TIMESTAMP", LATER.replace(tzinfo=None)),
    ]


HISTORY = [
    ("u_1", "vip", "v1", "true", datetime(2026, 1, 2, 3), None, "manual", datetime(2026, 1, 1)),  # noqa: DTZ001
    ("u_2", "note", "v2", "a,\"b\"\n''", datetime(2026, 1, 1), datetime(2026, 2, 1), "rule", None),  # noqa: DTZ001
    ("u_3", "note", "v2", "", datetime(2026, 1, 1), None, "rule", None),  # noqa: DTZ001
]
_PERIODS = "one_id, tag_id, tag_version, value, valid_from, valid_to, source, held_since"


def read_history(settings: Settings) -> list[tuple[object, ...]]:
    with duckdb.connect(str(settings.warehouse_file), read_only=True) as build:
        return build.execute(f"select {_PERIODS} from tags.history order by one_id").fetchall()


def test_history_is_read_from_postgresql_where_the_file_is_gone(settings: Settings) -> None:
    settings.warehouse_file.parent.mkdir(parents=True)
    publish(settings, [{"one_id": "u_1"}], tags={"vip": bool})
    file = settings.path("published", "profiles", "current.duckdb")
    with duckdb.connect(str(file.resolve())) as profiles:
        profiles.execute(
            "create table fct_user_tags (one_id varchar, tag_id varchar, tag_version varchar,"
            " value varchar, valid_from timestamp, valid_to timestamp, source varchar,"
            " held_since timestamp)"
        )
        for row in HISTORY:
            insert(profiles, "fct_user_tags", dict(zip(_PERIODS.split(", "), row, strict=True)))
    assert load_history(settings) == 3
    assert read_history(settings) == HISTORY
    with connect(settings, autocommit=True) as connection:
        connection.execute("update publication.pointer set snapshot_id = 's_1'")
        connection.execute(
            "create table profiles_data.periods (one_id text, tag_id text, tag_version text,"
            " value text, valid_from timestamptz, valid_to timestamptz, source text,"
            " held_since timestamptz)"
        )
        with connection.cursor() as cursor:
            marks = ", ".join(["%s"] * 8)
            cursor.executemany(f"insert into profiles_data.periods values ({marks})", HISTORY)
        connection.execute("create view profiles.fct_user_tags as table profiles_data.periods")
    file.unlink()
    assert load_history(settings) == 3
    assert read_history(settings) == HISTORY
    assert list(settings.path("tmp").iterdir()) == []


def test_history_of_an_older_version_lacks_columns_and_is_read_all_the_same(
    settings: Settings,
) -> None:
    settings.warehouse_file.parent.mkdir(parents=True)
    publish(settings, [{"one_id": "u_1"}], tags={"vip": bool})
    file = settings.path("published", "profiles", "current.duckdb")
    with duckdb.connect(str(file.resolve())) as profiles:
        profiles.execute(
            "create table fct_user_tags as select 'u_1' as one_id, 'vip' as tag_id, 'v1' as"
            " tag_version, 'true' as value, timestamp '2026-01-01' as valid_from"
        )
    assert load_history(settings) == 1
    assert read_history(settings)[0][-1] is None


def test_without_anything_published_there_is_no_history(settings: Settings) -> None:
    settings.warehouse_file.parent.mkdir(parents=True)
    assert load_history(settings) == 0
    assert read_history(settings) == []
