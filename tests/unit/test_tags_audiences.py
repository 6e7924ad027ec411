"""Previews and audiences: exact counts, refused declarations, exports that keep consent."""

import csv
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from audience_cases import SNAPSHOT, publish
from pyarrow import parquet

from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.settings import Settings
from zhongtai.tags import load_tags
from zhongtai.tags.audiences import audience_version, load_audiences, tags_used_by_audiences
from zhongtai.tags.bitmaps import count, members, ready_bitmaps
from zhongtai.tags.exports import export_audience, list_exports
from zhongtai.tags.preview import list_overlaps, open_store, preview_condition

PROJECT = Path(__file__).parents[2]
TAGS = {"keen": bool, "model": str, "hint": str, "do_not_disturb": bool}
DECLARED = """
group: trial
title: 试验
owner: 测试
tags:
  - {id: keen, name: {zh: 热心, en: Keen}, description: 说明。, kind: rule, value_type: boolean,
     status: published, consent: marketing, rule: {did: leads}}
  - id: model
    name: {zh: 车, en: Car}
    description: 说明。
    kind: rule
    value_type: text
    status: published
    values:
      - {value: ZT3, when: {did: orders}}
      - {value: ZT5, when: {did: leads}}
  - {id: hint, name: {zh: 提示, en: Hint}, description: 说明。, kind: first_last, value_type: text,
     status: published, measure: {take: last, fact: leads, of: channel_1}}
  - {id: idea, name: {zh: 想法, en: Idea}, description: 说明。, kind: rule, value_type: boolean,
     status: draft, rule: {did: leads}}
"""
AUDIENCE: dict[str, Any] = {
    "id": "keen_people",
    "name": "{zh: 热心人, en: Keen people}",
    "description": "说明。",
    "purpose": "marketing",
    "condition": "keen and model in ('ZT3')",
    "destination": "短信平台",
    "identifier": "mobile",
    "form": "clear",
    "status": "published",
}


def person(number: int, **more: Any) -> dict[str, Any]:
    return {
        "one_id": f"u_{number}",
        "name": "王小明",
        "mobile": f"+86138123400{number:02}",
        "allows_marketing": True,
        "keen": True,
        "model": "ZT3",
        **more,
    }


PERSONS = [
    person(1, hint="=cmd()"),
    person(2, hint="@x", is_staff=True),
    person(3, allows_marketing=False),
    person(4, do_not_disturb=True),
    person(5, mobile=None),
    person(6, model="ZT5"),
    person(7, keen=False),
    person(8, hint="plain"),
    # both are asked for by one number
    person(9),
]


def number_of(number: int, one_id: str, **more: Any) -> dict[str, Any]:
    return {
        "identifier_type": "mobile",
        "identifier_value": f"+86138123400{number:02}",
        "one_id": one_id,
        "last_seen_at": datetime(2026, 1, 1),  # noqa: DTZ001
        **more,
    }


IDENTIFIERS = [
    *(number_of(n, f"u_{n}") for n in (1, 2, 3, 4, 6, 7, 8)),
    # seen later, but not the one of the profile
    number_of(77, "u_1", last_seen_at=datetime(2026, 3, 1)),  # noqa: DTZ001
    number_of(8, "u_9"),
    number_of(55, "u_5", is_shared=True),
    {"identifier_type": "unionid", "identifier_value": "o-1", "one_id": "u_1"},
]


def declare(project: Path, *audiences: Mapping[str, Any]) -> Path:
    for folder in ("tags", "audiences"):
        shutil.rmtree(project / "seeds" / folder, ignore_errors=True)
        (project / "seeds" / folder).mkdir(parents=True)
    (project / "seeds/tags/trial.yml").write_text(DECLARED, "utf-8")
    lines = ["group: trial", "title: 试验", "owner: 测试", "audiences:"]
    for audience in audiences:
        listed = [f"{key}: {value}" for key, value in audience.items()]
        lines += [f"  - {listed[0]}", *(f"    {line}" for line in listed[1:])]
    file = project / "seeds/audiences/trial.yml"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


@pytest.fixture
def home(settings: Settings, tmp_path: Path) -> Settings:
    """A home with a published snapshot, and a project that declares its tags and one audience."""
    project = tmp_path / "project"
    declare(project, AUDIENCE)
    publish(settings, PERSONS, tags=TAGS, identifiers=IDENTIFIERS)
    return settings.model_copy(update={"project_dir": project})


def test_a_preview_counts_exactly(home: Settings) -> None:
    with open_store(home) as store:
        found = preview_condition(
            store,
            "keen and model = 'ZT3'",
            overlap=["model=ZT5", "do_not_disturb", "keen_people"],
            against="do_not_disturb",
            audiences={"keen_people": AUDIENCE["condition"]},
            examples=3,
        )
    assert (found.persons, found.users, found.consent_suppressed) == (9, 7, 1)
    assert found.share == pytest.approx(7 / 9)
    assert (found.staff, found.undisturbed) == (1, 1)
    assert found.identifiers == {"mobile": 6, "unionid": 1}
    assert [(o.name, o.users, o.shared) for o in found.overlaps] == [
        ("model=ZT5", 1, 0),
        ("do_not_disturb", 1, 1),
        ("keen_people", 7, 7),
    ]
    change = found.change
    assert change
    assert (change.users, change.entering, change.staying, change.leaving) == (1, 6, 1, 0)
    assert len(found.examples) == 3
    assert found.cost.clauses == 2


def test_examples_tell_nobodys_name_or_number(home: Settings) -> None:
    with open_store(home) as store:
        found = preview_condition(store, "mobile is known")
    assert len(found.examples) == 8
    told = repr(found)
    assert "王" not in told
    assert "138123400" not in told
    assert {example["mobile"] for example in found.examples} >= {"+86…0001"}


def test_nobody_is_a_selection_too(home: Settings) -> None:
    with open_store(home) as store:
        found = preview_condition(store, "source_count > 5 and keen", against="keen")
    assert (found.users, found.share, found.examples) == (0, 0.0, ())
    assert found.change
    assert (found.change.entering, found.change.leaving) == (0, 8)


def test_a_word_that_nobody_has_is_noted(home: Settings) -> None:
    with open_store(home) as store:
        found = preview_condition(store, "model in ('ZT3', 'ZT9')")
        assert found.notes == ("nobody has model = 'ZT9'; there is ZT3, ZT5",)
        with pytest.raises(ConfigurationError, match="neither a published tag nor"):
            preview_condition(store, "keen", against="nothing")


def test_pairs_of_tags_are_told_the_most_alike_first(home: Settings) -> None:
    with open_store(home) as store:
        pairs = list_overlaps(store, ["keen", "do_not_disturb", "model=ZT3", "model=ZT5"])
    assert [(p.name, p.other, p.shared) for p in pairs][:2] == [
        ("keen", "model=ZT3", 7),
        ("do_not_disturb", "model=ZT3", 1),
    ]
    # two values of one tag exclude each other
    assert len(pairs) == 5


def test_bitmaps_of_different_days_line_up(home: Settings) -> None:
    first = ready_bitmaps(home, SNAPSHOT)
    later = [person(0), *[p for p in PERSONS if p["one_id"] != "u_3"], person(99)]
    publish(home, later, tags=TAGS, snapshot_id="s_later")
    second = ready_bitmaps(home, "s_later")
    assert (first.size, second.size) == (9, 11)
    before = set(members(first.read("keen")))
    after = set(members(second.read("keen")))
    assert [p["one_id"] for p in first.read_persons(sorted(before - after))] == ["u_3"]
    # those that are new come behind all others
    assert sorted(after - before) == [9, 10]
    assert [p["one_id"] for p in second.read_persons([10, 9])] == ["u_0", "u_99"]
    assert count(second.everybody) == 10


def test_bitmaps_that_are_lost_are_made_again(home: Settings) -> None:
    before = {key: ready_bitmaps(home, SNAPSHOT).read(*key).tobytes() for key in [("keen", "true")]}
    shutil.rmtree(home.path("published", "bitmaps"))
    after = ready_bitmaps(home, SNAPSHOT)
    assert after.read("keen").tobytes() == before["keen", "true"]
    assert stat.S_IMODE(home.path("published", "bitmaps").stat().st_mode) == 0o700
    files = list(after.folder.iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_nothing_is_previewed_before_the_first_publish(settings: Settings) -> None:
    with pytest.raises(ZhongtaiError, match="nothing is published"), open_store(settings):
        pass


@pytest.mark.parametrize(
    ("change", "line", "expected"),
    [
        ({"id": "Keen"}, 5, "'Keen' is no id"),
        ({"id": "keen"}, 5, "is a tag or a column of the profile already"),
        ({"purpose": "fun"}, 8, "expected one of marketing, personalisation, service"),
        ({"purpose": "service"}, 8, "keen may be used with consent to marketing only"),
        ({"condition": "keen and modle = 'ZT3'"}, 9, "did you mean model or mobile?"),
        ({"condition": "keen and model = 'ZT4'"}, 9, "model is never 'ZT4'; it is one of ZT3, ZT5"),
        ({"condition": "idea"}, 9, "there is no tag or column idea"),
        ({"identifier": "vin"}, 11, "expected one of mobile"),
        ({"identifier": "openid"}, 11, "an openid is of one app"),
        ({"form": "secret"}, 12, "expected one of clear, hashed"),
        ({"status": "live"}, 13, "expected one of draft"),
        ({"with": "[mobile]"}, 14, "mobile is personal data"),
        ({"with": "[modle]"}, 14, "there is no tag or column modle"),
        ({"scope": "wx1"}, 14, "only an openid has a scope"),
        ({"colour": "red"}, 14, "unknown 'colour'"),
    ],
)
def test_a_wrong_declaration_is_told_with_file_and_line(
    tmp_path: Path, change: Mapping[str, str], line: int, expected: str
) -> None:
    file = declare(tmp_path, {**AUDIENCE, **change})
    with pytest.raises(ConfigurationError) as refused:
        load_audiences(tmp_path)
    assert refused.value.message.startswith(f"{file}:{line}: ")
    assert expected in refused.value.message


def test_an_audience_is_declared_once(tmp_path: Path) -> None:
    declare(tmp_path, AUDIENCE, AUDIENCE)
    with pytest.raises(ConfigurationError, match="keen_people exists since"):
        load_audiences(tmp_path)


def test_the_tags_that_an_audience_reads_are_in_use_until_it_retires(tmp_path: Path) -> None:
    declare(tmp_path, {**AUDIENCE, "with": "[hint]"})
    users = ("keen_people",)
    assert tags_used_by_audiences(tmp_path) == {"keen": users, "model": users, "hint": users}
    declare(tmp_path, {**AUDIENCE, "status": "retired"})
    assert tags_used_by_audiences(tmp_path) == {}


def test_the_version_of_an_audience_is_of_what_it_says_and_of_its_tags(tmp_path: Path) -> None:
    def version(**change: str) -> str:
        declare(tmp_path, {**AUDIENCE, **change})
        return audience_version(load_audiences(tmp_path)["keen_people"], load_tags(tmp_path))

    first = version()
    assert version(description="另一个说明。") == first
    assert version(condition="keen") != first
    assert version(form="hashed") != first
    file = tmp_path / "seeds/tags/trial.yml"
    file.write_text(file.read_text("utf-8").replace("{did: leads}}", "{did: orders}}", 1), "utf-8")
    loaded = load_tags(tmp_path)
    assert audience_version(load_audiences(tmp_path)["keen_people"], loaded) != version()


def test_the_declared_audiences_of_the_product_are_good() -> None:
    audiences = load_audiences(PROJECT)
    assert len(audiences) >= 5
    assert {a.purpose for a in audiences.values()} >= {"marketing", "service"}
    assert {a.form for a in audiences.values()} == {"clear", "hashed"}


Export = Callable[..., tuple[list[dict[str, str]], Path]]


def export(home: Settings, target: Path, **change: str) -> Path:
    declare(home.project_dir, {**AUDIENCE, **change})
    _, file = export_audience(home, "keen_people", target, author="mei", because="week 14")
    return file


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_an_export_keeps_consent_and_says_whom_it_left_out(home: Settings, tmp_path: Path) -> None:
    file = export(home, tmp_path / "out.csv", **{"with": "[model, hint]"})
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_csv(file) == [
        # the number of the profile, though another one was seen later; no formula for a spreadsheet
        {"mobile": "13812340001", "model": "ZT3", "hint": "'=cmd()"},
        {"mobile": "13812340008", "model": "ZT3", "hint": "plain"},
    ]
    (row,) = list_exports(home)
    assert (row.selected, row.exported) == (7, 2)
    assert row.suppressed == {
        "staff": 1,
        "no_consent": 1,
        "do_not_disturb": 1,
        "no_identifier": 1,
        "same_identifier": 1,
    }
    assert row.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (row.author, row.reason, row.destination) == ("mei", "week 14", "短信平台")
    assert (row.file, row.size_bytes) == ("out.csv", file.stat().st_size)


def test_minors_are_in_no_selection_for_marketing_and_children_in_none_at_all(
    home: Settings, tmp_path: Path
) -> None:
    born = {1: (2008, 4, 1), 2: (2008, 4, 2), 3: (2012, 4, 1), 4: (2012, 4, 2)}
    persons = [person(number, birth_date=date(*day)) for number, day in born.items()]
    rows = [number_of(number, f"u_{number}") for number in (*born, 8)]
    # as-of is midnight in China: the first of them is of age since that moment
    publish(home, [*persons, person(8)], tags=TAGS, snapshot_id="s_young", identifiers=rows)
    for purpose, condition, exported in (
        ("marketing", "keen", ["13812340001", "13812340008"]),
        ("service", "model is known", [f"1381234000{number}" for number in (1, 2, 3, 8)]),
    ):
        change = {"purpose": purpose, "condition": condition}
        file = export(home, tmp_path / f"{purpose}.csv", **change)
        assert [row["mobile"] for row in read_csv(file)] == exported
        left_out = len(persons) + 1 - len(exported)
        assert list_exports(home)[0].suppressed == {"minor": left_out}
        with open_store(home) as store:
            assert preview_condition(store, condition, purpose=purpose).minors == left_out


def test_a_hashed_export_holds_no_number(home: Settings, tmp_path: Path) -> None:
    file = export(home, tmp_path / "out.parquet", form="hashed")
    assert parquet.read_table(file).to_pylist() == [
        {"mobile_sha256": digest}
        for digest in sorted(
            hashlib.sha256(number.encode()).hexdigest() for number in ("13812340001", "13812340008")
        )
    ]
    assert b"1381234" not in file.read_bytes()


def test_a_service_needs_no_consent_but_leaves_alone_who_asked(
    home: Settings, tmp_path: Path
) -> None:
    file = export(home, tmp_path / "o.csv", purpose="service", condition="model = 'ZT3'")
    numbers = [row["mobile"][-2:] for row in read_csv(file)]
    assert numbers == ["01", "03", "07", "08"]


def test_employees_are_exported_where_that_is_declared(home: Settings, tmp_path: Path) -> None:
    file = export(home, tmp_path / "o.csv", includes_staff="true")
    assert "13812340002" in {row["mobile"] for row in read_csv(file)}


def test_what_is_refused_leaves_neither_file_nor_ledger(home: Settings, tmp_path: Path) -> None:
    there = tmp_path / "there.csv"
    there.write_text("mine", "utf-8")
    with pytest.raises(ConfigurationError, match="never replaces a file"):
        export(home, there)
    with pytest.raises(ConfigurationError, match=r"neither \.csv nor \.parquet"):
        export(home, tmp_path / "out.xlsx")
    with pytest.raises(ConfigurationError, match="is draft: only a published one"):
        export(home, tmp_path / "out.csv", status="draft")
    with pytest.raises(ConfigurationError, match="there is no audience nobody"):
        export_audience(home, "nobody", None, author="mei", because="x")
    declare(home.project_dir, AUDIENCE)
    with pytest.raises(ConfigurationError, match="author and reason"):
        export_audience(home, "keen_people", None, author="mei", because=" ")
    assert there.read_text("utf-8") == "mine"
    assert [f.name for f in tmp_path.iterdir() if f.is_file()] == ["there.csv"]
    assert list_exports(home) == []


@pytest.mark.parametrize("call", ["open", "link"])
def test_a_folder_that_takes_no_file_is_told_with_what_to_do(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    real = getattr(os, call)

    def refuse(path: str | Path, *rest: Any, **named: Any) -> Any:
        if Path(path).name.startswith(".out.csv."):
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return real(path, *rest, **named)

    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(ConfigurationError, match=r"out\.csv cannot be written: no such") as refused:
        export(home, folder / "out.csv")
    assert "--to" in refused.value.hint
    assert list(folder.iterdir()) == []


def test_the_ledger_of_exports_cannot_be_rewritten(home: Settings) -> None:
    _, file = export_audience(home, "keen_people", None, author="mei", because="x")
    assert file.parent == home.path("exports")
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    with (
        connect(home) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="are kept"),
    ):
        connection.execute("delete from tags.exports")
