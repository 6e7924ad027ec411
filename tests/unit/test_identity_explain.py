"""`zhongtai explain`: every step is real, refusals are told, nothing personal is."""

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest
from test_cli import Invoke, home, invoke
from test_identity_decisions import publish_profiles
from test_identity_state import record, write_evidence

from zhongtai import identity
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.identity.decisions import decide
from zhongtai.identity.declaration import Declaration, load_declaration
from zhongtai.identity.explanations import PairExplanation, explain_pair
from zhongtai.identity.persons import explain_past, explain_person
from zhongtai.identity.pictures import draw_pair, draw_person
from zhongtai.identity.published_map import PublishedMap, open_map
from zhongtai.identity.references import Reference
from zhongtai.runs import Run
from zhongtai.settings import Settings
from zhongtai.warehouse import open_build

__all__ = ["home", "invoke"]

ONE, TWO, THREE = "+8613911110001", "+8613911110002", "+8613911110003"
CHAIN = {"a": [ONE], "b": [ONE, TWO], "c": [TWO, THREE], "d": [THREE], "e": []}
Publish = Callable[..., dict[str, str]]


@pytest.fixture
def declaration(settings: Settings) -> Declaration:
    return load_declaration(settings.project_dir)


@pytest.fixture
def publish(settings: Settings, run: Run) -> Publish:
    """Publishes what records name, a day later each time; returns key -> one_id."""
    publish_profiles(settings.path("published", "profiles"), *CHAIN)
    days = 0

    def call(values: dict[str, list[str]], *statements: tuple[str, list[object]]) -> dict[str, str]:
        nonlocal days
        days += 1
        write_evidence(settings, **values)
        with open_build(settings) as build:
            for statement, parameters in statements:
                build.execute(statement, parameters)
        later = Run(run.run_id, run.command, run.as_of + timedelta(days=days), run.started_at)
        identity.resolve(settings, later)
        identity.commit(settings, f"s{days}")
        record(settings, run, f"s{days}", "published", published=True)
        with open_build(settings, read_only=True) as build:
            return dict(
                build.execute("select record_key, one_id from identity.record_map").fetchall()
            )

    return call


@pytest.fixture
def opened(settings: Settings) -> Iterator[Callable[[], PublishedMap]]:
    """Opens what was published last."""

    def call() -> PublishedMap:
        return stack.enter_context(open_map(settings))

    with ExitStack() as stack:
        yield call


def ref(key: str) -> Reference:
    return Reference("crm", "leads", key)


def hold(key: str, column: str, value: str) -> tuple[str, list[object]]:
    return (
        f"update intermediate.int_identity_records set {column} = ? where record_key = ?",
        [value, key],
    )


def know(key: str, attribute: str, value: str) -> tuple[str, list[object]]:
    return (
        "insert into intermediate.int_identity_attributes values ('crm', 'leads', ?, ?, ?)",
        [key, attribute, value],
    )


def test_the_path_is_the_shortest_and_every_step_is_real(
    publish: Publish, opened: Callable[[], PublishedMap], declaration: Declaration
) -> None:
    ids = publish({**CHAIN, "c": [TWO, THREE, ONE]})
    found = explain_pair(opened(), declaration, "crm:leads:a", "crm:leads:d")
    assert (found.is_one_person, found.left.one_id) == (True, ids["a"])
    assert [(s.record, s.other_record, s.rule, s.value) for s in found.path] == [
        (ref("a"), ref("c"), "identifier", "+86…0001"),
        (ref("c"), ref("d"), "identifier", "+86…0003"),
    ]
    for step in found.path:
        assert (step.identifier_type, step.weight) == ("mobile", 9)
        assert [naming.record for naming in step.named_by] == [step.record, step.other_record]
        assert all(f"{n.first_seen_at:%Y-%m-%d}" == "2026-01-01" for n in step.named_by)


def test_a_backup_phone_leads_only_with_the_same_name(
    publish: Publish, opened: Callable[[], PublishedMap], declaration: Declaration
) -> None:
    backup = (
        "update intermediate.int_identity_evidence set is_edge = false, reason = 'backup_phone'"
        " where record_key in ('a', 'e')"
    )
    names = [hold(key, "name", name) for key, name in (("a", "王伟"), ("b", "王伟"), ("e", "李娜"))]
    publish({"a": [ONE], "b": [ONE], "e": [ONE]}, *names, (backup, []))
    found = explain_pair(opened(), declaration, "crm:leads:a", "crm:leads:b")
    assert [step.rule for step in found.path] == ["identifier and name"]
    apart = explain_pair(opened(), declaration, "crm:leads:a", "crm:leads:e")
    assert not apart.is_one_person
    assert [(r.reason, r.value) for r in apart.refused] == [("backup_phone", "+86…0001")]


def test_a_refused_link_is_told_with_its_reason(
    publish: Publish, opened: Callable[[], PublishedMap], declaration: Declaration
) -> None:
    publish({"a": [ONE], "b": [ONE]}, hold("a", "name", "王伟"), hold("b", "name", "李娜"))
    for keys in ("ab", "ba"):
        found = explain_pair(opened(), declaration, *(f"crm:leads:{key}" for key in keys))
        assert not found.is_one_person
        (refused,) = found.refused
        assert (refused.record, refused.other_record) == (ref(keys[0]), ref(keys[1]))
        assert (refused.identifier_type, refused.reason) == ("mobile", "different_name")
        assert (refused.value, refused.meaning) == ("+86…0001", "their name differs")


def test_a_hub_is_told_between_any_two_that_name_it(
    publish: Publish, opened: Callable[[], PublishedMap], declaration: Declaration
) -> None:
    names = ["王伟", "李娜", "张强", "刘洋", "陈静", "杨帆", "赵磊", "黄敏"]
    publish(
        {f"k{n}": [ONE] for n in range(8)}, *(hold(f"k{n}", "name", x) for n, x in enumerate(names))
    )
    found = explain_pair(opened(), declaration, "crm:leads:k5", "crm:leads:k6")
    assert ("hub", "+86…0001") in [(one.reason, one.value) for one in found.refused]
    assert found.refused[0].record == ref("k5")
    person = explain_person(opened(), declaration, "crm:leads:k5")
    assert [one.standing for one in person.identifiers] == ["hub"]


def test_the_values_of_a_record_that_speaks_for_others_link_nobody(
    publish: Publish, opened: Callable[[], PublishedMap], declaration: Declaration
) -> None:
    many = [f"+861391111{number:04}" for number in range(11)]
    publish({"a": many, "b": many[:1]})
    found = explain_pair(opened(), declaration, "crm:leads:a", "crm:leads:b")
    assert [(one.reason, one.value) for one in found.refused] == [("too_many_values", "+86…0000")]
    person = explain_person(opened(), declaration, "crm:leads:a")
    assert {one.standing for one in person.identifiers} == {"too_many_values"}


def test_strangers_have_nothing_in_common(
    publish: Publish, opened: Callable[[], PublishedMap], declaration: Declaration
) -> None:
    publish(CHAIN)
    found = explain_pair(opened(), declaration, "crm:leads:a", "crm:leads:e")
    assert (found.is_one_person, found.path, found.refused) == (False, (), ())


def test_likeness_is_told_by_its_comparisons(
    publish: Publish, opened: Callable[[], PublishedMap], declaration: Declaration
) -> None:
    alike = [
        statement
        for key in "ab"
        for statement in (
            hold(key, "name", "欧阳震华"),
            know(key, "address", "南京市玄武区中山路12号9幢101室"),
            know(key, "birth_date", "1971-05-06"),
            know(key, "dealer_code", "D0900"),
        )
    ]
    ids = publish({"a": [ONE], "b": [TWO], "c": [TWO]}, *alike)
    assert ids["a"] == ids["c"]
    found = explain_pair(opened(), declaration, "crm:leads:a", "crm:leads:c")
    assert [step.rule for step in found.path] == ["similar person", "identifier"]
    compared = {one.comparison: one for one in found.path[0].comparisons}
    assert (compared["name"].value, compared["name"].other_value) == ("欧***", "欧***")
    assert compared["name"].weight > 0
    assert found.path[0].weight == pytest.approx(sum(c.weight for c in compared.values()), abs=0.01)


def test_decisions_are_told_with_author_and_reason(
    settings: Settings,
    publish: Publish,
    opened: Callable[[], PublishedMap],
    declaration: Declaration,
) -> None:
    publish(CHAIN)
    merged = decide(settings, "merge", ref("a"), ref("e"), author="mei", because="signed")
    parted = decide(settings, "split", ref("c"), ref("d"), author="mei", because="twins")
    before = explain_pair(opened(), declaration, "crm:leads:a", "crm:leads:e")
    assert not before.is_one_person
    publish(CHAIN)
    one = explain_pair(opened(), declaration, "crm:leads:b", "crm:leads:e")
    assert [step.decision for step in one.path] == [None, merged]
    two = explain_pair(opened(), declaration, "crm:leads:a", "crm:leads:d")
    assert two.decisions == (parted,)
    assert parted in explain_person(opened(), declaration, "crm:leads:d").decisions


def test_a_retired_id_resolves_and_its_history_is_told(
    settings: Settings,
    run: Run,
    publish: Publish,
    opened: Callable[[], PublishedMap],
    declaration: Declaration,
) -> None:
    before = publish({"a": [ONE], "b": [ONE], "z": [TWO]})
    after = publish({"a": [ONE], "b": [ONE], "z": [ONE, TWO]})
    assert set(after.values()) == {before["a"]}
    person = explain_person(opened(), declaration, before["z"])
    assert (person.subject.one_id, person.subject.retired_one_id) == (before["a"], before["z"])
    assert {one.record for one in person.records} == {ref("a"), ref("b"), ref("z")}
    assert [c.change for c in person.history] == ["new", "new", "merge"]
    assert [(p.reference, p.one_id) for p in person.past] == [(ref("z"), before["z"])]
    pair = explain_pair(opened(), declaration, before["a"], before["z"])
    assert [(s.record, s.other_record) for s in pair.path] == [(ref("a"), ref("z"))]
    day = run.as_of + timedelta(days=1, hours=1)
    for asked in ("crm:leads:z", before["z"]):
        past = explain_past(opened(), asked, day)
        assert (past.one_id, past.one_id_now) == (before["z"], before["a"])
        assert past.records == (ref("z"),)
    now = explain_past(opened(), "crm:leads:z", day + timedelta(days=5))
    assert (now.one_id, len(now.records)) == (before["a"], 3)
    with pytest.raises(ConfigurationError, match="was nobody at"):
        explain_past(opened(), "crm:leads:z", run.as_of)


@pytest.mark.parametrize("subject", ["crm:leads:nobody", "u_" + "0" * 32, "nonsense"])
def test_what_is_unknown_is_named(
    publish: Publish, opened: Callable[[], PublishedMap], declaration: Declaration, subject: str
) -> None:
    publish(CHAIN)
    with pytest.raises(ConfigurationError, match=subject):
        explain_person(opened(), declaration, subject)
    with pytest.raises(ConfigurationError, match=subject):
        explain_pair(opened(), declaration, "crm:leads:a", subject)


def test_nothing_can_be_explained_before_something_is_published(settings: Settings) -> None:
    with pytest.raises(ZhongtaiError, match="nothing is published"), open_map(settings):
        pass


def test_the_kept_evidence_holds_no_value_and_only_its_owner_may_read_it(
    settings: Settings, publish: Publish
) -> None:
    publish(CHAIN, hold("a", "name", "欧阳震华"))
    folder = settings.path("identity", "s1")
    for stem in ("evidence", "refused_links", "matched_pairs"):
        file = folder / f"{stem}.parquet"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        told = str(pq.read_table(file).to_pylist())
        assert not any(secret in told for secret in (ONE, ONE[3:], "欧阳"))


def test_the_kept_files_are_sorted_by_what_they_are_asked_for(
    settings: Settings, publish: Publish
) -> None:
    publish({key: CHAIN[key] for key in "edcba"})
    for stem, columns in (
        ("record_map", ["source", "entity", "record_key"]),
        ("evidence", ["one_id"]),
    ):
        table = pq.read_table(settings.path("identity", "s1", f"{stem}.parquet"))
        asked = [tuple(row.values()) for row in table.select(columns).to_pylist()]
        assert len(asked) >= len(CHAIN)
        assert asked == sorted(asked)
        assert table.column_names[: len(columns)] == columns


def pictured(picture: str) -> set[str]:
    root = ElementTree.fromstring(picture)  # noqa: S314  # our own
    assert root.tag.endswith("svg")
    return {text.text or "" for text in root.iter() if text.tag.endswith("text")}


def test_the_picture_shows_every_record_and_parses(
    publish: Publish, opened: Callable[[], PublishedMap], declaration: Declaration
) -> None:
    publish(
        {**CHAIN, "f<&>": [ONE], "g": [THREE]},
        hold("g", "name", "王伟"),
        hold("c", "name", "李娜"),
    )
    person = pictured(draw_person(explain_person(opened(), declaration, "crm:leads:a")))
    assert {f"crm:leads:{key}" for key in ("a", "b", "c", "f<&>")} <= person
    assert "crm:leads:e" not in person
    pair: PairExplanation = explain_pair(opened(), declaration, "crm:leads:a", "crm:leads:e")
    assert {f"crm:leads:{key}" for key in ("a", "b", "c", "e", "f<&>")} <= pictured(draw_pair(pair))


@pytest.mark.parametrize("extra", [[], ["--json"]])
@pytest.mark.usefixtures("home")
def test_the_command_line_tells_and_draws_without_personal_data(
    invoke: Invoke,
    settings: Settings,
    publish: Publish,
    capsys: pytest.CaptureFixture[str],
    extra: list[str],
) -> None:
    phone = "13812345678"
    ids = publish({phone: [ONE], "b": [ONE, TWO], "c": [TWO]}, hold("b", "name", "欧阳震华"))
    at = ["--home", str(settings.home), *extra]
    file = settings.home / "person.svg"
    for arguments in (
        [f"crm:leads:{phone}", "crm:leads:c", "--svg", str(file)],
        ["crm:leads:b"],
        [ids["b"], "--svg", str(file)],
        [f"crm:leads:{phone}", "--on", "2030-01-01"],
    ):
        assert invoke("explain", *arguments, *at) == 0
        told = capsys.readouterr().out
        if extra:
            assert json.loads(told)
        told += file.read_text("utf-8") if "--svg" in arguments else ""
        assert "crm:leads:13…678" in told
        assert ids["b"] in told
        assert not any(secret in told for secret in (ONE, ONE[3:], phone, "欧阳"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "case",
    [
        (["crm:leads:nobody"], "no record crm:leads:nobody"),
        (["crm:leads:13900000000"], "no record crm:leads:13…000"),
        (["u_0"], "no person u_0"),
        (["crm:leads"], "expected SOURCE:ENTITY:KEY"),
        (["crm:leads:b", "crm:leads:c", "--on", "2030-01-01"], "with two records"),
        (["crm:leads:b", "--on", "tomorrow"], "--on tomorrow"),
        (["crm:leads:b", "--svg", "/no/such/folder/x.svg"], "/no/such/folder/x.svg"),
    ],
)
def test_what_cannot_be_explained_is_said_with_exit_code_2(
    invoke: Invoke,
    home: str,
    publish: Publish,
    capsys: pytest.CaptureFixture[str],
    case: tuple[list[str], str],
) -> None:
    arguments, complaint = case
    publish(CHAIN)
    assert invoke("explain", *arguments, "--home", home) == 2
    assert complaint in capsys.readouterr().err
