"""The made-up world is as hard on identity as a real one, and its truth says how hard."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from zhongtai.generate.exports import Summary, generate

PEOPLE, DAYS, SEED = 2000, 30, 7
PARTITIONED = "source, entity, record_key"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    out = tmp_path_factory.mktemp("identity") / "out"
    return generate(out, people=PEOPLE, days=DAYS, seed=SEED)


def rows(world: Summary, query: str) -> list[tuple[object, ...]]:
    """Query the truth; `{name}` stands for a table of it."""
    truth = world.folder / "truth"
    names = {path.stem: f"'{path}'" for path in truth.rglob("*.parquet")}
    return duckdb.connect().execute(query.format(**names)).fetchall()


def number(world: Summary, query: str) -> int:
    [(value,)] = rows(world, query)
    return int(str(value))


# --- what makes it hard ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier_type", "hubs"),
    [("mobile", 6), ("email", 1), ("anonymous_id", 1), ("visitor_id", 1)],
)
def test_every_hub_has_a_dozen_different_customers(
    world: Summary, identifier_type: str, hubs: int
) -> None:
    found = rows(
        world,
        "select persons from {shared_values} where kind = 'hub' "
        f"and identifier_type = '{identifier_type}'",
    )
    assert len(found) >= hubs
    assert min(int(str(persons)) for (persons,) in found) >= 12


def test_hubs_reach_a_dozen_customers_in_a_small_world_too(tmp_path: Path) -> None:
    small = generate(tmp_path / "small", people=300, days=10, seed=3)
    found = rows(
        small,
        "select identifier_type, min(persons) from {shared_values} "
        "where kind = 'hub' group by identifier_type",
    )
    assert {kind for kind, _ in found} == {"mobile", "email", "anonymous_id", "visitor_id"}
    assert all(int(str(persons)) >= 12 for _, persons in found)


@pytest.mark.parametrize(
    ("evidence_class", "low", "high"),
    [
        ("hub", 0.06, 0.2),
        ("household", 0.03, 0.08),
        ("recycled", 0.01, 0.04),
        ("staff", 0.003, 0.03),
        ("handover", 0.01, 0.05),
        ("sender", 0.01, 0.05),
        ("fuzzy_only", 0.04, 0.12),
    ],
)
def test_each_class_touches_its_share_of_the_persons(
    world: Summary, evidence_class: str, low: float, high: float
) -> None:
    persons = number(
        world,
        "select count(distinct person_id) from {identity_classes} "
        f"where evidence_class = '{evidence_class}'",
    )
    assert low < persons / PEOPLE < high


def test_a_recycled_number_rests_for_months_between_its_holders(world: Summary) -> None:
    gaps = rows(
        world,
        "with told as ("
        "select r.person_id as person, l.手机号 as mobile, l.线索创建时间 as at "
        "from {crm__leads} l join {records} r on r.entity = 'leads' "
        "and r.record_key = l.线索唯一ID union all "
        "select r.person_id, o.手机, o.小订时间 from {dms__orders} o "
        "join {records} r on r.entity = 'orders' and r.record_key = o.订单号) "
        "select date_diff('day', max(a.at), min(b.at)) from {relationships} p "
        "join told a on a.person = p.person_id join told b on b.person = p.related_person_id "
        "and b.mobile = a.mobile where p.relationship = 'next_holder_of_number' group by a.mobile",
    )
    assert len(gaps) >= 10
    assert min(int(str(gap)) for (gap,) in gaps) >= 60


def test_households_have_two_to_four_members_of_one_address(world: Summary) -> None:
    sizes = rows(world, "select household, count(*) from {households} group by 1")
    assert {size for _, size in sizes} == {2, 3, 4}
    assert 0.08 < sum(int(str(size)) for _, size in sizes) / PEOPLE < 0.12
    surnames = dict(
        rows(
            world,
            "select h.role, avg((p.name[1] = q.name[1])::int) from {households} h "
            "join {persons} p using (person_id) join {households} g on g.household = h.household "
            "and g.role = 'head' join {persons} q on q.person_id = g.person_id group by 1",
        )
    )
    assert surnames["child"] == surnames["head"] == 1
    assert surnames["spouse"] < 0.3  # type: ignore[operator]


def test_members_of_a_household_leave_one_phone_mail_and_tablet(world: Summary) -> None:
    kinds = dict(
        rows(
            world,
            "select identifier_type, count(*) from {shared_values} "
            "where kind = 'household' group by 1",
        )
    )
    assert {"mobile", "email", "anonymous_id"} <= set(kinds)
    assert kinds["mobile"] > 20  # type: ignore[operator]
    persons = rows(world, "select max(persons) from {shared_values} where kind = 'household'")
    assert persons[0][0] <= 4  # type: ignore[operator]


def test_a_car_that_changed_hands_has_records_of_both_owners(world: Summary) -> None:
    cars = number(
        world,
        "select count(distinct a.vin) from {ownership} a join {ownership} b on a.vin = b.vin "
        "and a.valid_to = b.valid_from "
        "join {dms__service_orders} s on s.VIN = a.vin and s.进厂时间 < a.valid_to "
        "join {dms__service_orders} t on t.VIN = a.vin and t.进厂时间 >= a.valid_to",
    )
    assert cars >= 5


def test_employees_are_customers_whose_number_others_show_too(world: Summary) -> None:
    employees = number(
        world, "select count(*) from {persons} where is_staff and login_id is not null"
    )
    owning = number(
        world,
        "select count(*) from {persons} where is_staff and person_id in "
        "(select person_id from {records} where entity = 'orders')",
    )
    assert employees == owning >= 6
    assert number(world, "select count(*) from {shared_values} where kind = 'staff'") >= 3


def test_companies_are_called_through_private_customers(world: Summary) -> None:
    assert number(world, "select count(*) from {refused_pairs} where kind = 'company'") >= 5


def test_namesakes_live_near_the_same_dealer(world: Summary) -> None:
    pairs = rows(
        world,
        "select a.name, b.name from {relationships} r "
        "join {persons} a on a.person_id = r.person_id "
        "join {persons} b on b.person_id = r.related_person_id where relationship = 'namesake'",
    )
    assert len(pairs) >= 10
    assert all(one == other for one, other in pairs)


def test_names_are_heard_cut_titled_and_written_in_old_characters(world: Summary) -> None:
    told = rows(
        world,
        "select v.客户姓名, p.name from {dms__store_visits} v join {records} r "
        "on r.entity = 'store_visits' and r.record_key = v.接待单号 "
        "join {persons} p using (person_id) where v.客户姓名 <> p.name "
        "union all select l.客户姓名, p.name from {crm__leads} l join {records} r "
        "on r.entity = 'leads' and r.record_key = l.线索唯一ID "
        "join {persons} p using (person_id) where l.客户姓名 <> p.name",
    )
    texts = [str(text) for text, _ in told]
    assert any(text.endswith(("先生", "女士")) for text in texts)
    assert any(" " in text or "\u3000" in text for text in texts)
    assert any(len(text) < len(str(name)) for text, name in told)
    assert any(
        len(text) == len(str(name)) and " " not in text and "\u3000" not in text
        for text, name in ((str(text), name) for text, name in told)
    )


@pytest.mark.parametrize(
    ("records", "least"),
    [
        ("source = 'app' and record_key like 'U%'", 15),  # two accounts of the app
        ("source = 'miniprogram'", 100),  # an openid of each mini-program
        ("entity = 'customers'", 10),  # customer numbers of several dealers
        ("entity = 'contacts'", 20),
    ],
)
def test_some_persons_are_known_twice_to_one_source(
    world: Summary, records: str, least: int
) -> None:
    twice = number(
        world,
        f"select count(*) from (select person_id from {{records}} where {records} "
        "and person_id is not null group by 1 having count(*) > 1)",
    )
    assert twice >= least


def test_some_persons_have_a_new_number_or_two(world: Summary) -> None:
    told = (
        "select distinct r.person_id, l.手机号 as mobile from {crm__leads} l "
        "join {records} r on r.entity = 'leads' and r.record_key = l.线索唯一ID "
        "union select r.person_id, o.手机 from {dms__orders} o "
        "join {records} r on r.entity = 'orders' and r.record_key = o.订单号"
    )
    second = number(
        world,
        f"select count(*) from ({told}) t join {{persons}} p using (person_id) "
        "where p.household_person_id is null and p.backup_mobile = t.mobile",
    )
    former = number(
        world,
        f"select count(*) from ({told}) t join {{persons}} p using (person_id) "
        "where t.mobile not in (select mobile from {persons} where mobile is not null) "
        "and t.mobile is distinct from p.backup_mobile and t.mobile not in "
        "(select identifier_value from {shared_values})",
    )
    assert second >= 5
    assert former >= 10


def test_masked_phones_stand_in_the_files_and_not_in_the_clean_rows(world: Summary) -> None:
    files = (world.folder / "landing" / "dms" / "store_visits").rglob("*.csv")
    masked = sum(path.read_bytes().count(b"****") for path in files)
    assert masked >= 5
    assert number(world, "select count(*) from {dms__store_visits} where 手机 like '%*%'") == 0


# --- what the truth says of it -------------------------------------------------------------------


def test_every_record_has_one_class(world: Summary) -> None:
    truth = world.folder / "truth"
    classes = pq.read_table(truth / "identity_classes.parquet")
    records = pq.read_table(truth / "records.parquet")
    names = PARTITIONED.split(", ")
    assert classes.select([*names, "person_id"]).equals(records.select([*names, "person_id"]))
    assert classes.column("evidence_class").null_count == 0
    assert set(classes.column("evidence_class").to_pylist()) == {
        *("plain", "household", "hub", "recycled", "handover", "sender", "staff", "company"),
        *("fuzzy_only", "none"),
    }


def test_what_evidence_joins_is_one_person_and_all_that_is_known_of_it(world: Summary) -> None:
    mixed = number(
        world,
        "select count(*) from (select evidence_group from {identity_classes} "
        "group by 1 having count(distinct person_id) > 1)",
    )
    torn = number(
        world,
        "select count(*) from (select person_id from {identity_classes} where evidence_suffices "
        "and person_id is not null group by 1 having count(distinct evidence_group) > 1)",
    )
    assert mixed == torn == 0


@pytest.mark.parametrize("evidence_class", ["plain", "household", "recycled", "handover", "staff"])
def test_evidence_suffices_for_most_records_of_a_class(world: Summary, evidence_class: str) -> None:
    [(share,)] = rows(
        world,
        "select avg(evidence_suffices::int) from {identity_classes} "
        f"where evidence_class = '{evidence_class}'",
    )
    assert 0.7 < float(str(share)) <= 1


def test_a_common_name_alone_does_not_suffice(world: Summary) -> None:
    [(told, known)] = rows(
        world,
        "select count(*), sum(c.evidence_suffices::int) from {dms__store_visits} v "
        "join {identity_classes} c on c.entity = 'store_visits' and c.record_key = v.接待单号 "
        "join {shared_values} s on s.kind = 'hub' and s.identifier_value = v.手机 "
        "where v.客户姓名 in (select name from {persons} group by name having count(*) > 1)",
    )
    assert int(str(told)) > 0
    assert known == 0


def test_refused_pairs_are_two_persons_and_of_every_kind(world: Summary) -> None:
    pairs = rows(
        world,
        "select p.kind, a.person_id, b.person_id from {refused_pairs} p "
        "join {records} a on (a.source, a.entity, a.record_key) "
        "= (p.source, p.entity, p.record_key) "
        "join {records} b on (b.source, b.entity, b.record_key) "
        "= (p.other_source, p.other_entity, p.other_record_key)",
    )
    assert {kind for kind, _, _ in pairs} == {
        *("hub", "recycled", "household", "staff", "handover", "sender", "company", "namesake")
    }
    assert all(one != other for _, one, other in pairs)
    assert len(pairs) == number(world, "select count(*) from {refused_pairs}")
