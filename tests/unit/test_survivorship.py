"""Which of several values the golden profile takes, by the declared rules, in any order of rows."""

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from metrics_bench import AS_OF, Bench, Project, compile_project, only

from zhongtai.settings import load_settings

PROJECT = Path(__file__).resolve().parents[2]
RULES = ("first", "second", "third", "fourth", "fifth", "sixth")
Candidate = dict[str, Any]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return compile_project(load_settings(home=tmp_path_factory.mktemp("survivors"), threads=2))


@pytest.fixture(scope="module")
def shared_bench(project: Project) -> Bench:
    """A bench for many examples, each of which replaces the candidates."""
    bench = Bench(project)
    bench.build("int_users__survivors")
    return bench


@pytest.fixture
def bench(project: Project) -> Bench:
    return Bench(project)


def candidate(attribute: str, value: str, entity: str, key: str = "1", **more: Any) -> Candidate:
    """What a record says of person u1; `days` before as-of, 10 unless told."""
    source, _, name = entity.partition(".")
    days = more.pop("days", 10)
    return {
        "one_id": "u1", "attribute": attribute, "value": value, "source": source, "entity": name,
        "record_key": key, "observed_at": AS_OF - timedelta(days=days), "is_verified": None,
        "is_shared": False, **more,
    }  # fmt: skip


def survivors(bench: Bench, rows: list[Candidate]) -> list[dict[str, Any]]:
    bench.given_instead("int_users__candidates", rows)
    return bench.build("int_users__survivors")


@pytest.mark.parametrize(
    ("rows", "value", "rule"),
    [
        pytest.param(
            [candidate("name", "张三", "crm.leads"), candidate("name", "张先生", "dms.orders")],
            "张三", "complete", id="a-form-of-address-is-no-name",
        ),
        pytest.param(
            [candidate("name", "张三", "dms.orders"), candidate("name", "小张", "crm.contacts")],
            "张三", "verified", id="a-name-on-a-document",
        ),
        pytest.param(
            [candidate("name", "李四", "crm.contacts"), candidate("name", "李是", "crm.leads"),
             candidate("name", "李是", "crm.leads", "2")],
            "李四", "source_priority", id="the-better-source-before-the-more-frequent",
        ),
        pytest.param(
            [candidate("name", "李四", "crm.leads"), candidate("name", "李四", "crm.leads", "2"),
             candidate("name", "李四光", "crm.leads", "3", days=1)],
            "李四", "frequency", id="named-by-most-records-before-the-longest",
        ),
        pytest.param(
            [candidate("name", "欧阳修", "crm.leads"),
             candidate("name", "欧阳", "crm.leads", "2", days=1)],
            "欧阳修", "longest", id="a-name-that-was-not-cut-before-a-newer-one",
        ),
        pytest.param(
            [candidate("name", "李四", "crm.leads"),
             candidate("name", "张三", "crm.leads", "2", days=1)],
            "张三", "recency", id="the-newest-name-where-nothing-else-tells",
        ),
        pytest.param(
            [candidate("name", "李四", "crm.leads"), candidate("name", "张三", "crm.leads", "2")],
            "张三", "smallest_value", id="the-smaller-text-where-no-rule-tells",
        ),
        pytest.param(
            [candidate("mobile", "+1", "dms.orders", days=1, is_shared=True),
             candidate("mobile", "+2", "crm.leads", days=99)],
            "+2", "unshared", id="ones-own-phone-before-the-family-s",
        ),
        pytest.param(
            [candidate("mobile", "+1", "app.events", days=99, is_verified=True),
             candidate("mobile", "+2", "app.events", "2", days=1, is_verified=False)],
            "+1", "verified", id="a-confirmed-phone-before-a-newer-typed-one",
        ),
        pytest.param(
            [candidate("mobile", "+1", "dms.orders", days=99),
             candidate("mobile", "+1", "dms.customers", days=99),
             candidate("mobile", "+2", "app.events", days=1)],
            "+2", "recency", id="the-newest-of-confirmed-phones",
        ),
        pytest.param(
            [candidate("gender", "男", "crm.contacts"), candidate("gender", "女", "crm.leads"),
             candidate("gender", "女", "crm.leads", "2")],
            "女", "frequency", id="the-gender-most-records-give",
        ),
        pytest.param(
            [candidate("gender", "男", "dms.orders"), candidate("gender", "女", "crm.leads"),
             candidate("gender", "女", "crm.leads", "2")],
            "男", "verified", id="the-gender-of-the-identity-number",
        ),
        pytest.param(
            [candidate("birth_date", "1990-03-07", "dms.customers", days=900),
             candidate("birth_date", "1990-01-01", "crm.contacts", days=1)],
            "1990-03-07", "verified", id="the-birth-date-of-the-identity-number",
        ),
        pytest.param(
            [candidate("birth_date", "1990-03-07", "crm.contacts", days=900),
             candidate("birth_date", "1990-01-01", "app.events", days=1)],
            "1990-03-07", "source_priority", id="the-birth-date-of-the-better-source",
        ),
        pytest.param(
            [candidate("email", "old@example.com", "app.events", days=99, is_verified=True),
             candidate("email", "new@example.com", "crm.adf_leads", days=1)],
            "new@example.com", "recency", id="the-newest-address-though-not-confirmed",
        ),
        pytest.param(
            [candidate("email", "b@example.com", "app.events", is_verified=True),
             candidate("email", "a@example.com", "crm.contacts")],
            "b@example.com", "verified", id="the-confirmed-of-two-addresses-of-one-moment",
        ),
        pytest.param(
            [candidate("allows_marketing", "true", "crm.contacts", days=1),
             candidate("allows_marketing", "false", "crm.erasure_requests", days=2)],
            "true", "recency", id="the-last-word-on-marketing",
        ),
        pytest.param(
            [candidate("allows_marketing", "true", "crm.contacts"),
             candidate("allows_marketing", "false", "crm.contacts", "2")],
            "false", "refusal", id="of-two-words-at-one-moment-the-no",
        ),
    ],
)  # fmt: skip
def test_the_first_rule_that_tells_two_values_apart_decides(
    bench: Bench, rows: list[Candidate], value: str, rule: str
) -> None:
    row = only(survivors(bench, rows))
    assert (row["value"], row["rule"], row["rejected_count"]) == (value, rule, 1)


def test_the_only_value_needs_no_rule_and_rejects_nothing(bench: Bench) -> None:
    rows = [candidate("name", "张三", "crm.leads"), candidate("name", "张三", "dms.orders")]
    row = only(survivors(bench, rows))
    assert (row["rule"], row["rejected_count"]) == ("only_value", 0)
    assert (row["source"], row["entity"]) == ("dms", "orders")


def test_every_other_value_is_counted_once_as_rejected(bench: Bench) -> None:
    rows = [
        candidate("mobile", f"+{number % 4}", "crm.leads", str(number), days=number)
        for number in range(9)
    ]
    assert only(survivors(bench, rows))["rejected_count"] == 3


def test_a_place_comes_from_one_record_that_knows_all_of_it(bench: Bench) -> None:
    rows = [
        candidate("province", "江苏省", "dms.customers", days=1),
        candidate("province", "浙江省", "crm.leads"),
        candidate("city", "杭州市", "crm.leads"),
        candidate("city", "成都市", "app.events", days=1),
    ]
    found = {row["attribute"]: row for row in survivors(bench, rows)}
    assert {name: row["value"] for name, row in found.items()} == {
        "province": "浙江省",
        "city": "杭州市",
    }
    assert {row["rule"] for row in found.values()} == {"complete"}
    assert {row["record_key"] for row in found.values()} == {"1"}


def test_a_province_and_a_city_of_different_records_are_not_put_together(bench: Bench) -> None:
    rows = [
        candidate("province", "江苏省", "crm.leads"),
        candidate("city", "成都市", "app.events", days=1),
    ]
    row = only(survivors(bench, rows))
    assert (row["attribute"], row["value"]) == ("province", "江苏省")


def test_what_is_chosen_together_follows_the_same_rules() -> None:
    with (PROJECT / "seeds" / "survivorship.csv").open(encoding="utf-8") as file:
        declared = list(csv.DictReader(file))
    by_unit: dict[str, set[tuple[str, ...]]] = {}
    for row in declared:
        rules = tuple(row[f"{place}_rule"] for place in RULES)
        by_unit.setdefault(row["chosen_with"], set()).add(rules)
    assert len(declared) == 8
    assert {unit for unit, rules in by_unit.items() if len(rules) > 1} == set()


_VALUES = {
    "name": ["张三", "李四", "张先生", "欧阳修"],
    "mobile": ["+1", "+2", "+3"],
    "province": ["江苏省", "浙江省"],
    "city": ["南京市", "杭州市"],
    "allows_marketing": ["true", "false"],
}
_ENTITIES = ["crm.contacts", "crm.leads", "dms.customers", "app.events"]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Candidate], list[Candidate]]:
    """Candidates of two persons with many ties, and the same in another order."""
    rows: dict[tuple[object, ...], Candidate] = {}
    for _ in range(draw(st.integers(1, 14))):
        attribute = draw(st.sampled_from(sorted(_VALUES)))
        row = candidate(
            attribute,
            draw(st.sampled_from(_VALUES[attribute])),
            draw(st.sampled_from(_ENTITIES)),
            draw(st.sampled_from("12")),
            days=draw(st.integers(1, 2)),
            is_verified=draw(st.sampled_from([None, True, False])),
            is_shared=draw(st.booleans()),
            one_id=draw(st.sampled_from(["u1", "u2"])),
        )
        value = row["value"] if attribute == "mobile" else None
        record = (row["one_id"], row["source"], row["entity"], row["record_key"])
        rows.setdefault((*record, attribute, value), row)
    listed = list(rows.values())
    return listed, draw(st.permutations(listed))


@given(worlds())
@examples(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_order_of_rows_changes_the_profile(
    shared_bench: Bench, world: tuple[list[Candidate], list[Candidate]]
) -> None:
    def profile(rows: list[Candidate]) -> list[tuple[object, ...]]:
        shared_bench.given_instead("int_users__candidates", rows)
        for name in ("int_users__options", "int_users__survivors"):
            shared_bench.remake(name)
        return sorted(
            tuple(row.values())
            for row in shared_bench.query("select * from intermediate.int_users__survivors")
        )

    listed, shuffled = world
    found = profile(listed)
    assert found == profile(shuffled)
    known = {(row["one_id"], row["attribute"]) for row in listed}
    places = {"province", "city"}
    assert {row[:2] for row in found if row[1] not in places} == {
        pair for pair in known if pair[1] not in places
    }
    assert len({row[:2] for row in found}) == len(found)
