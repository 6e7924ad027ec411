"""Profiles, histories and tags of a whole generated world, as one run publishes them."""

from collections.abc import Iterator

import duckdb
import pytest
from truth_cases import Home, World, generate_world, rows, temporary_home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

# set by people or delivered from outside, or waiting for a model: nobody may have one yet
SET_FROM_OUTSIDE = ("manual", "import", "predictive")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("profiles") / "world"
    return generate_world(folder, people=900, days=28, seed=34)


@pytest.fixture(scope="module")
def home(world: World) -> Iterator[Home]:
    with temporary_home() as found:
        done = found.run_all(world.landing, world.as_of)
        assert done.returncode == 0, done.stdout + done.stderr
        yield found


@pytest.fixture
def published(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with home.open() as connection:
        yield connection


@pytest.fixture
def built(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    file = home.folder / "warehouse" / "build.duckdb"
    with duckdb.connect(file, read_only=True) as connection:
        yield connection


def test_every_published_tag_is_somebodys_and_no_flag_is_everybodys(
    published: duckdb.DuckDBPyConnection,
) -> None:
    found = rows(
        published,
        "select tag_id, kind, value_type, max(coverage_num), max(coverage_den),"
        " count(distinct value) from metrics.metrics_tag_daily"
        " join metrics.dim_tags using (tag_id) group by all",
    )
    assert len(found) >= 60
    nobodys = {row[0] for row in found if row[3] == 0 and row[1] not in SET_FROM_OUTSIDE}
    assert nobodys == set()
    everybodys = {row[0] for row in found if row[2] == "boolean" and row[3] == row[4]}
    assert everybodys == set()
    tells_nothing = {
        row[0] for row in found if row[2] == "text" and row[3] == row[4] and row[5] == 1
    }
    assert tells_nothing == set()


def test_tags_read_every_source_that_carries_customers(
    published: duckdb.DuckDBPyConnection,
) -> None:
    entities = {
        entity
        for (sources,) in rows(
            published, "select sources from metrics.dim_tags where status = 'published'"
        )
        for entity in sources.split(", ")
    }
    systems = {entity.split(".")[0] for entity in entities}
    assert {"app", "miniprogram", "website", "crm", "dms", "partner", "profile"} <= systems


def test_every_value_of_the_profile_has_one_source_and_every_source_its_value(
    published: duckdb.DuckDBPyConnection,
) -> None:
    profile = (
        "select one_id, attribute, value from (select one_id, name, gender,"
        " cast(birth_date as varchar) as birth_date, mobile, email, province, city,"
        " case when allows_marketing then 'true' end as allows_marketing from profiles.dim_users)"
        " unpivot (value for attribute in (name, gender, birth_date, mobile, email, province, city,"
        " allows_marketing))"
    )
    sources = "select one_id, attribute, value from profiles.dim_users_sources"
    silent = "attribute = 'allows_marketing' and value = 'false'"
    assert rows(published, f"({profile}) except all ({sources})") == []
    assert rows(published, f"({sources} where not ({silent})) except all ({profile})") == []
    assert rows(
        published,
        "select count(*) from profiles.dim_users_sources join profiles.dim_users using (one_id)"
        f" where {silent} and allows_marketing",
    ) == [(0,)]
    decided = {row[0] for row in rows(published, "select rule from profiles.dim_users_sources")}
    assert {"only_value", "verified", "source_priority", "recency", "complete"} <= decided


def test_the_sources_of_a_profile_are_records_of_that_person(
    published: duckdb.DuckDBPyConnection,
) -> None:
    assert (
        rows(
            published,
            "select attribute, s.source, s.entity from profiles.dim_users_sources s"
            " left join profiles.bridge_user_records b using (source, entity, record_key)"
            " where b.one_id is distinct from s.one_id and s.entity <> 'erasure_requests'",
        )
        == []
    )


@pytest.mark.parametrize(
    ("history", "columns"),
    [
        ("stage_history", ("lifecycle_stage",)),
        ("pool_history", ("nurture_pool", "lead_tier")),
    ],
)
def test_histories_are_whole_and_end_in_what_the_profile_says(
    built: duckdb.DuckDBPyConnection, history: str, columns: tuple[str, ...]
) -> None:
    table = f"intermediate.int_users__{history}"
    listed = ", ".join(columns)
    now = f"select one_id, {listed} from {table} where valid_to is null"
    profile = f"select one_id, {listed} from profiles.dim_users"
    assert rows(built, f"({now}) except all ({profile})") == []
    assert rows(built, f"({profile}) except all ({now})") == []
    torn = (
        "select one_id from (select one_id, valid_from, valid_to, lead(valid_from) over"
        f" (partition by one_id order by valid_from) as following from {table})"
        " where valid_to is distinct from following or valid_to <= valid_from"
    )
    assert rows(built, torn) == []
    (moves,) = rows(built, f"select count(*) from {table} where valid_to is not null")
    assert moves[0] > 200
