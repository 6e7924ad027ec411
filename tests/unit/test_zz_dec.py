"""Decisions about who is who: recorded once, applied at every build, taken back without a trace."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import psycopg
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from identity_cases import START, Identity, decision
from person_cases import record, resolve_people
from test_cli import Invoke, home, invoke
from test_identity_state import ids, write_evidence

from zhongtai import identity
from zhongtai.database import connect
from zhongtai.errors import ZhongtaiError
from zhongtai.identity.contradictions import find_contradiction
from zhongtai.identity.decisions import Decision, decide, effective, list_decisions, undo_decision
from zhongtai.identity.references import Reference, parse_reference
from zhongtai.runs import Run
from zhongtai.settings import Settings

__all__ = ["home", "invoke"]

A, B, C, D = (Reference("crm", "leads", key) for key in "abcd")
Decide = Callable[..., Decision]


def publish_profiles(folder: Path, *keys: str) -> None:
    """What readers find of these records, and of the company `firm`."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(folder / "s1.duckdb")) as profiles:
        columns = "(source varchar, entity varchar, record_key varchar)"
        for table, found in (("user", keys), ("organisation", ("firm",))):
            profiles.execute(f"create table bridge_{table}_records {columns}")
            for key in found:
                profiles.execute(
                    f"insert into bridge_{table}_records values ('crm', 'leads', ?)", [key]
                )
    (folder / "current.duckdb").symlink_to("s1.duckdb")


@pytest.fixture
def made(settings: Settings) -> Decide:
    """Records a decision of `mei` about records a, b, c and d, which are published."""
    publish_profiles(settings.path("published", "profiles"), *"abcd")

    def call(kind: str, record: Reference, other: Reference) -> Decision:
        return decide(settings, kind, record, other, author="mei", because="ticket 88")  # type: ignore[arg-type]

    return call


def test_a_decision_is_kept_with_author_reason_and_time(settings: Settings, made: Decide) -> None:
    first = made("merge", B, A)
    assert (first.kind, first.pair) == ("merge", (A, B))
    assert (first.author, first.reason) == ("mei", "ticket 88")
    assert first.decided_at.tzinfo is not None
    assert list_decisions(settings) == [first]


def test_the_last_decision_about_a_pair_holds(settings: Settings, made: Decide) -> None:
    first = made("merge", A, B)
    second = made("split", B, A)
    assert list_decisions(settings) == [second]
    assert list_decisions(settings, with_undone=True) == [first, second]
    undone = undo_decision(settings, second.decision_id, author="li", because="mixed up")
    assert (undone.undone_by, undone.undone_because) == ("li", "mixed up")
    assert list_decisions(settings) == [first]


@pytest.mark.parametrize(
    ("record", "other", "complaint"),
    [
        (A, A, "given twice"),
        (A, Reference("crm", "leads", "z"), "no record crm:leads:z"),
        (Reference("crm", "orders", "a"), A, "no record crm:orders:a"),
        (A, Reference("crm", "leads", "firm"), "record of a company"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    settings: Settings, made: Decide, record: Reference, other: Reference, complaint: str
) -> None:
    with pytest.raises(ZhongtaiError, match=complaint):
        made("merge", record, other)
    assert list_decisions(settings, with_undone=True) == []


def test_nothing_can_be_decided_before_something_is_published(settings: Settings) -> None:
    with pytest.raises(ZhongtaiError, match="nothing is published"):
        decide(settings, "merge", A, B, author="mei", because="ticket")


@pytest.mark.parametrize(("author", "because"), [(" ", "ticket"), ("mei", " ")])
def test_a_decision_has_an_author_and_a_reason(
    settings: Settings, made: Decide, author: str, because: str
) -> None:
    del made
    with pytest.raises(ZhongtaiError, match="is empty"):
        decide(settings, "merge", A, B, author=author, because=because)


def test_the_same_decision_twice_is_refused_with_the_first_one(made: Decide) -> None:
    first = made("merge", A, B)
    with pytest.raises(ZhongtaiError, match=f"already decided: decision {first.decision_id} "):
        made("merge", B, A)


def test_a_contradiction_is_refused_and_names_every_decision_of_it(
    settings: Settings, made: Decide
) -> None:
    one, two = made("merge", A, B), made("merge", B, C)
    with pytest.raises(ZhongtaiError) as refused:
        made("split", A, C)
    for decided in (one, two):
        assert f"decision {decided.decision_id} (merge" in str(refused.value)
    assert list_decisions(settings) == [one, two]
    apart = made("split", C, D)
    with pytest.raises(ZhongtaiError, match=f"decision {apart.decision_id} .split"):
        made("merge", A, D)


def test_an_undoing_that_leaves_a_contradiction_is_refused(
    settings: Settings, made: Decide
) -> None:
    made("split", A, B)
    over = made("merge", A, B)
    made("merge", A, C)
    made("merge", C, B)
    with pytest.raises(ZhongtaiError, match="keeps apart"):
        undo_decision(settings, over.decision_id, author="mei", because="wrong")
    assert over in list_decisions(settings)


def test_undoing_twice_or_nothing_is_refused(settings: Settings, made: Decide) -> None:
    first = made("merge", A, B)
    undo_decision(settings, first.decision_id, author="li", because="mixed up")
    with pytest.raises(ZhongtaiError, match="was undone by li"):
        undo_decision(settings, first.decision_id, author="li", because="mixed up")
    with pytest.raises(ZhongtaiError, match="no decision 999"):
        undo_decision(settings, 999, author="li", because="mixed up")


@pytest.mark.parametrize(
    "statement",
    [
        "delete from identity.decisions",
        "truncate identity.decisions",
        "update identity.decisions set reason = 'another'",
        "update identity.decisions set undone_at = now(), undone_by = 'x', undone_because = 'y',"
        " kind = 'split'",
    ],
)
def test_nobody_rewrites_a_decision(settings: Settings, made: Decide, statement: str) -> None:
    first = made("merge", A, B)
    with pytest.raises(psycopg.errors.RaiseException), connect(settings) as connection:
        connection.execute(statement.encode())
    assert list_decisions(settings) == [first]


def test_a_key_may_hold_colons() -> None:
    assert parse_reference("crm:leads:a:b:c") == Reference("crm", "leads", "a:b:c")
    assert str(parse_reference("crm:leads:a:b")) == "crm:leads:a:b"


def test_a_merge_beats_every_contradiction() -> None:
    people = {
        "a": record("id_card:1", "login_id:L1", name="王伟", birth="1990-01-01"),
        "b": record("id_card:2", "login_id:L2", name="李娜", birth="1980-01-01"),
    }
    found = resolve_people(people, must=(("a", "b"),))
    assert found.together("a", "b")
    assert set(found.linked_by.values()) == {"decision"}


def test_a_split_beats_every_path_of_evidence() -> None:
    people = {
        "a": record("id_card:1", "login_id:L1"),
        "b": record("id_card:1", "login_id:L1", "mobile:+8613900000001"),
        "c": record("mobile:+8613900000001", "login_id:L2"),
        "d": record("login_id:L2"),
    }
    assert resolve_people(people).together("a", "b", "c", "d")
    found = resolve_people(people, cannot=(("a", "d"),))
    assert not found.together("a", "d")
    assert "decision" in found.reasons()


def test_decisions_are_applied_at_the_next_build_and_undone_at_the_one_after(
    settings: Settings, run: Run, made: Decide
) -> None:
    values = {"a": ["1"], "b": ["2"], "c": ["3"], "d": ["3"]}
    write_evidence(settings, **values)
    identity.resolve(settings, run)
    before = ids(settings)
    merged, parted = made("merge", A, B), made("split", C, D)
    identity.resolve(settings, run)
    decided = ids(settings)
    assert decided["a"] == decided["b"]
    assert decided["c"] != decided["d"]
    for one in (merged, parted):
        undo_decision(settings, one.decision_id, author="mei", because="wrong")
    identity.resolve(settings, run)
    assert ids(settings) == before


KEYS = [f"r{number}" for number in range(7)]
maps = st.fixed_dictionaries({key: st.lists(st.sampled_from("uvwxyz"), max_size=2) for key in KEYS})
pairs = st.tuples(st.sampled_from(KEYS), st.sampled_from(KEYS)).filter(lambda p: p[0] != p[1])
drafts = st.lists(st.tuples(st.sampled_from(["merge", "split"]), pairs), min_size=1, max_size=5)


def accepted(attempts: list[tuple[str, tuple[str, str]]]) -> list[Decision]:
    """The decisions that would be recorded: those that contradict earlier ones are refused."""
    kept: list[Decision] = []
    for number, (kind, keys) in enumerate(attempts):
        one = decision(number, kind, *keys)  # type: ignore[arg-type]
        if find_contradiction(effective([*kept, one])) is None:
            kept.append(one)
    return kept


@property_settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(maps, drafts)
@example(
    {
        "r0": ["w"],
        "r1": ["v", "x"],
        "r2": ["y", "v"],
        "r3": ["x"],
        "r4": ["z"],
        "r5": [],
        "r6": ["v", "x"],
    },
    [("merge", ("r1", "r3")), ("merge", ("r2", "r5")), ("split", ("r3", "r2"))],
)
def test_decisions_hold_whatever_the_evidence_and_undoing_restores_who_was_who(
    tmp_path_factory: pytest.TempPathFactory,
    records: dict[str, list[str]],
    attempts: list[tuple[str, tuple[str, str]]],
) -> None:
    kept = Identity(tmp_path_factory.mktemp("decided"))
    first = kept.publish(records)
    before = kept.partition()
    kept.decisions = accepted(attempts)
    decided = kept.publish(records)
    for one in effective(kept.decisions):
        left, right = (decided[reference.record_key] for reference in one.pair)
        assert (left == right) == (one.kind == "merge")
    kept.decisions = [
        replace(one, undone_at=START, undone_by="mei", undone_because="wrong")
        for one in kept.decisions
    ]
    after = kept.publish(records)
    assert kept.partition() == before
    # an id that stayed in use means the same person again, and one that was retired leads to him
    assert {key: kept.redirects().get(first[key], first[key]) for key in KEYS} == after


def test_the_command_line_records_lists_and_undoes(
    invoke: Invoke, home: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_profiles(Path(home) / "published" / "profiles", "a", "b")
    pair = ("crm:leads:b", "crm:leads:a")
    assert invoke("identity", "merge", *pair, "--because", "both signed", "--home", home) == 0
    text = capsys.readouterr().out
    assert "merge crm:leads:a crm:leads:b" in text
    assert "the next `zhongtai run`" in text
    assert invoke("identity", "merge", *pair, "--because", "again", "--home", home) == 1
    assert "already decided" in capsys.readouterr().err
    assert invoke("identity", "list", "--json", "--home", home) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["kind"], listed["because"], bool(listed["author"])) == (
        "merge",
        "both signed",
        True,
    )
    number = str(listed["decision_id"])
    arguments = ("--because", "wrong", "--author", "li", "--json", "--home", home)
    assert invoke("identity", "undo", number, *arguments) == 0
    assert json.loads(capsys.readouterr().out)["undone_by"] == "li"
    assert invoke("identity", "list", "--home", home) == 0
    assert "nothing is decided" in capsys.readouterr().out
    assert invoke("identity", "list", "--all", "--home", home) == 0
    assert "by li: wrong" in capsys.readouterr().out
