"""The review queue: pairs that matching doubts, masked; what people answer takes them out."""

import json
import stat
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from test_cli import Invoke, home, invoke
from test_identity_decisions import publish_profiles
from test_identity_state import ids, record, write_evidence

from zhongtai import identity
from zhongtai.errors import ZhongtaiError
from zhongtai.identity.decisions import list_decisions, undo_decision
from zhongtai.identity.review_queue import ReviewPair, decide_pair, read_review_queue
from zhongtai.runs import Run
from zhongtai.settings import Settings, load_settings
from zhongtai.warehouse import open_build

__all__ = ["home", "invoke"]

# Two families, each with one phone, which exports mask, and one address; and a stranger.
FIRST = {"address": "苏州市姑苏区人民路88号3幢402室", "masked_mobile": "138****7777"}
SECOND = {"address": "南京市玄武区中山路12号9幢101室", "masked_mobile": "139****2468"}
PEOPLE = {
    "a": ("欧阳震华", {**SECOND, "gender": "男"}),
    "b": ("欧阳淑芬", SECOND),
    "c": ("王建国", {**FIRST, "birth_date": "1961-02-03"}),
    "d": ("王小月", FIRST),
    "e": ("李娜", {"dealer_code": "D0900", "birth_date": "1971-05-06"}),
}
SECRETS = ("欧阳", "建国", "小月", "人民路", "中山路", "138", "02-03")


def write_people(settings: Settings) -> None:
    """The working file of PEOPLE, as the evidence step leaves it."""
    write_evidence(settings, **{key: [] for key in PEOPLE})
    with open_build(settings) as build:
        for key, (name, attributes) in PEOPLE.items():
            build.execute(
                "update intermediate.int_identity_records set name = ? where record_key = ?",
                [name, key],
            )
            for attribute, value in attributes.items():
                build.execute(
                    "insert into intermediate.int_identity_attributes values"
                    " ('crm', 'leads', ?, ?, ?)",
                    [key, attribute, value],
                )


def publish(settings: Settings, run: Run, number: int = 1) -> None:
    """Resolve PEOPLE and keep the result as the published map."""
    write_people(settings)
    later = Run(run.run_id, run.command, run.as_of + timedelta(days=number), run.started_at)
    identity.resolve(settings, later)
    identity.commit(settings, f"s{number}")
    record(settings, run, f"s{number}", "published", published=True)


@pytest.fixture
def queue(settings: Settings, run: Run) -> tuple[ReviewPair, ...]:
    publish_profiles(settings.path("published", "profiles"), *PEOPLE)
    publish(settings, run)
    return read_review_queue(settings).pairs


def keys_of(pairs: tuple[ReviewPair, ...]) -> set[str]:
    return {pair.left.record_key + pair.right.record_key for pair in pairs}


def answer(settings: Settings, pair: ReviewPair, *, is_one_person: bool) -> int:
    made = decide_pair(
        settings, pair.pair_id, is_one_person=is_one_person, author="mei", because="asked them"
    )
    return made.decision_id


def test_what_is_alike_but_not_certain_waits_for_people(
    settings: Settings, queue: tuple[ReviewPair, ...]
) -> None:
    assert keys_of(queue) == {"ab", "cd"}
    found = ids(settings)
    assert len(set(found.values())) == len(PEOPLE)
    assert [pair.probability for pair in queue] == sorted(
        (pair.probability for pair in queue), reverse=True
    )
    for pair in queue:
        assert pair.reason == "insufficient"
        assert pair.explanation == "alike only in what a family or namesakes share"
        assert 0.8 <= pair.probability <= 1


def test_each_comparison_is_told_with_masked_values(queue: tuple[ReviewPair, ...]) -> None:
    pair = next(pair for pair in queue if pair.left.record_key == "c")
    told = {one.comparison: one for one in pair.comparisons}
    assert list(told) == ["name", "mobile", "birth_date", "gender", "place"]
    assert (told["name"].value, told["name"].other_value) == ("王**", "王**")
    assert told["mobile"].agreement == "masked equal"
    assert told["mobile"].value == told["mobile"].other_value == "…7777"
    assert (told["birth_date"].value, told["birth_date"].other_value) == ("1961-**-**", None)
    assert told["birth_date"].agreement == "missing"
    assert told["place"].value == "苏州市姑苏区…"
    assert told["name"].weight < 0 < told["place"].weight


def test_the_kept_queue_holds_no_clear_value_and_is_for_its_owner_alone(
    settings: Settings, queue: tuple[ReviewPair, ...]
) -> None:
    del queue
    file = settings.path("identity", "s1", "review_pairs.parquet")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = str(duckdb.read_parquet(str(file)).fetchall())
    assert "7777" in kept
    assert not [secret for secret in SECRETS if secret in kept]


@pytest.mark.parametrize("is_one_person", [True, False])
def test_an_answer_takes_the_pair_out_and_holds_at_every_run(
    settings: Settings, run: Run, queue: tuple[ReviewPair, ...], is_one_person: bool
) -> None:
    pair = next(pair for pair in queue if pair.left.record_key == "c")
    number = answer(settings, pair, is_one_person=is_one_person)
    assert keys_of(read_review_queue(settings).pairs) == {"ab"}
    (decided,) = list_decisions(settings)
    assert (decided.kind, decided.author, decided.reason) == (
        "merge" if is_one_person else "split",
        "mei",
        "asked them",
    )
    assert {reference.record_key for reference in decided.pair} == {"c", "d"}
    for time in (2, 3):
        publish(settings, run, time)
        with open_build(settings, read_only=True) as build:
            left = build.execute("select record_key from identity.review_pairs").fetchall()
        assert left == [("a",)], "the next run does not ask again"
        found = ids(settings)
        assert (found["c"] == found["d"]) == is_one_person
    undo_decision(settings, number, author="li", because="mixed up")
    publish(settings, run, 4)
    assert keys_of(read_review_queue(settings).pairs) == {"ab", "cd"}
    assert next(p.pair_id for p in read_review_queue(settings).pairs if p.left == pair.left) == (
        pair.pair_id
    )


def test_a_pair_that_does_not_wait_is_refused(
    settings: Settings, queue: tuple[ReviewPair, ...]
) -> None:
    answer(settings, queue[0], is_one_person=False)
    for pair_id in (queue[0].pair_id, "000000000000"):
        with pytest.raises(ZhongtaiError, match=f"no pair {pair_id} waits"):
            decide_pair(settings, pair_id, is_one_person=True, author="mei", because="again")
    assert len(list_decisions(settings, with_undone=True)) == 1


def test_the_limit_shows_fewer_and_counts_all(
    settings: Settings, queue: tuple[ReviewPair, ...]
) -> None:
    found = read_review_queue(settings, limit=1)
    assert found.pairs == queue[:1]
    assert found.waiting == 2


def test_there_is_no_queue_before_something_is_published(settings: Settings) -> None:
    with pytest.raises(ZhongtaiError, match="nothing is published"):
        read_review_queue(settings)


def test_a_map_without_a_queue_says_what_to_do(
    settings: Settings, queue: tuple[ReviewPair, ...]
) -> None:
    del queue
    settings.path("identity", "s1", "review_pairs.parquet").unlink()
    with pytest.raises(ZhongtaiError, match="has no review queue"):
        read_review_queue(settings)


def test_the_command_line_lists_pairs_and_records_answers(
    invoke: Invoke, home: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(home=Path(home))
    publish_profiles(settings.path("published", "profiles"), *PEOPLE)
    publish(settings, run)
    capsys.readouterr()
    assert invoke("identity", "review", "--limit", "1", "--home", home) == 0
    text = capsys.readouterr().out
    assert "2 pairs wait for a decision, 1 are shown" in text
    assert "masked equal" in text
    assert invoke("identity", "review", "--json", "--home", home) == 0
    told = capsys.readouterr().out
    assert not [secret for secret in SECRETS if secret in text + told]
    first, second = (pair["pair"] for pair in json.loads(told)["pairs"])
    reason = ("--because", "asked them", "--author", "li", "--home", home)
    assert invoke("identity", "review", "--accept", first, "--home", home) == 2
    assert invoke("identity", "review", *reason) == 2
    assert invoke("identity", "review", "--accept", first, "--reject", first, *reason) == 2
    assert invoke("identity", "review", "--accept", first, "--reject", "beef", *reason) == 2
    assert list_decisions(settings) == [], "none is recorded where one is wrong"
    capsys.readouterr()
    assert invoke("identity", "review", "--accept", first, "--reject", second, *reason) == 0
    assert capsys.readouterr().out.count("recorded: decision") == 2
    assert {d.kind for d in list_decisions(settings)} == {"merge", "split"}
    assert {d.author for d in list_decisions(settings)} == {"li"}
    assert invoke("identity", "review", "--home", home) == 0
    assert "0 pairs wait" in capsys.readouterr().out
