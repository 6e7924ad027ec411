"""How long an exact preview of five clauses takes over 1 M persons x 200 tags, and all pairs.

The snapshot is made here, its bitmaps by the product. Each preview is all that `zhongtai tags
preview` prints: count, suppressed, identifiers, change against a tag, ten masked examples.

    python -m benchmarks.preview [--persons 1000000] [--previews 200]
"""

import argparse
import json
import math
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from zhongtai.tags.preview import Store

FLAGS, WORDS, NUMBERS, DATES = 140, 40, 15, 5
_SNAPSHOT = "s_bench"
_IDENTIFIERS = ("mobile", "unionid", "wecom_external_id", "crm_customer_id")
# A number that is spread over all of a range and the same in every run.
_SPREAD = "(hash(i * 1000 + {seed}) % 1000000)"


def publish(home: Path, persons: int) -> None:
    """A published snapshot of that many persons with 200 tags."""
    import duckdb

    # ruff: noqa: S608  # names of our own
    for store in ("profiles", "metrics"):
        folder = home / "published" / store
        folder.mkdir(parents=True)
        with duckdb.connect(folder / f"{_SNAPSHOT}.duckdb") as connection:
            connection.execute("set memory_limit = '4GB'")
            connection.execute(f"set temp_directory = '{home}'")
            statements = _profiles(persons) if store == "profiles" else _metrics()
            for statement in statements:
                connection.execute(statement)
        (folder / "current.duckdb").symlink_to(f"{_SNAPSHOT}.duckdb")


def _profiles(persons: int) -> Iterator[str]:
    one_id = "'u_0199a0b1c2d37' || left(md5(i::varchar), 19) as one_id"
    yield f"""
create table dim_users as
select
    {one_id}, '王' || i as name, if(i % 5 > 0, '+8613' || lpad(i::varchar, 9, '0'), null) as mobile,
    if(i % 4 = 0, date '1960-01-01' + (i % 20000)::integer, null) as birth_date,
    ['上海', '北京', '广东'][i % 3 + 1] as province, 'c' || (i % 300) as city,
    i % 7 = 0 as is_owner, i % 100 = 0 as is_staff, i % 50 = 0 as is_partner,
    i % 3 > 0 as allows_marketing, ['认知', '对比', '决策'][i % 3 + 1] as lifecycle_stage,
    timestamp '2025-01-01' + interval (i % 400) day as first_seen_at,
    1 + i % 4 as source_count, 1 + i % 9 as record_count,
from range({persons}) as r (i)
"""
    tags = ", ".join(_tags())
    yield f"create table dim_user_tags as select {one_id}, {tags} from range({persons}) as r (i)"
    yield """
create table bridge_user_identifiers (
    identifier_type varchar, identifier_scope varchar, identifier_value varchar, one_id varchar,
    is_shared boolean, last_seen_at timestamp
)
"""
    for place, kind in enumerate(_IDENTIFIERS):
        yield f"""
insert into bridge_user_identifiers
select '{kind}', '', i::varchar, {one_id}, false, timestamp '2026-01-01'
from range({persons}) as r (i) where i % {place + 2} > 0
"""


def _tags() -> Iterator[str]:
    for tag in range(FLAGS):
        share = 10 ** random.Random(tag).uniform(3, 5.9)  # noqa: S311  # no secret
        yield f"{_SPREAD.format(seed=tag)} < {share:.0f} as flag_{tag:03}"
    for tag in range(WORDS):
        spread = _SPREAD.format(seed=500 + tag)
        yield f"if({spread} < 100000, null, 'value_' || ({spread} % 6)) as word_{tag:03}"
    for tag in range(NUMBERS):
        spread = _SPREAD.format(seed=600 + tag)
        yield f"if({spread} < 300000, null, ({spread} % 400)::bigint) as number_{tag:03}"
    for tag in range(DATES):
        spread = _SPREAD.format(seed=700 + tag)
        yield f"(date '2025-01-01' + ({spread} % 400)::integer) as date_{tag:03}"


def _metrics() -> Iterator[str]:
    row = f"select '{_SNAPSHOT}' as snapshot_id, timestamp '2026-03-31' as as_of"
    yield f"create table meta_snapshots as {row}"
    yield "create table metrics_tag_daily (date date, tag_id varchar)"


def draw_condition(draw: random.Random) -> str:
    """Five clauses, each about a tag of its own."""
    clauses = []
    for kind in draw.choices(("flag", "word", "number", "date"), (7, 2, 1.5, 0.5), k=5):
        if kind == "flag":
            clause = f"flag_{draw.randrange(FLAGS):03}"
        elif kind == "word":
            clause = f"word_{draw.randrange(WORDS):03} in ('value_1', 'value_{draw.randrange(6)}')"
        elif kind == "number":
            clause = f"number_{draw.randrange(NUMBERS):03} <= {draw.randrange(400)}"
        else:
            clause = f"date_{draw.randrange(DATES):03} >= '2025-{draw.randint(1, 12):02}-15'"
        clauses.append(f"not {clause}" if draw.random() < 0.3 else clause)
    return f"({clauses[0]} or {clauses[1]}) and " + " and ".join(clauses[2:])


def measure(persons: int, previews: int = 200) -> dict[str, float]:
    """Seconds of previews (p95, median), of the same counts by SQL, and of all pairs of tags.

    Beside the time on the clock also that of the processors, which others do not lengthen.
    """
    from zhongtai.settings import load_settings
    from zhongtai.tags.preview import list_overlaps, open_store, preview_condition

    draw = random.Random(1)  # noqa: S311  # no secret
    with tempfile.TemporaryDirectory(prefix="zhongtai-bench-") as name:
        publish(Path(name), persons)
        settings = load_settings(home=Path(name))
        started = time.perf_counter()
        with open_store(settings) as store:
            written = time.perf_counter() - started
            ours, worked, floor = [], [], []
            for _ in range(previews):
                text = draw_condition(draw)
                started, begun = time.perf_counter(), time.process_time()
                found = preview_condition(store, text, against="flag_001")
                ours.append(time.perf_counter() - started)
                worked.append(time.process_time() - begun)
                floor.append(_count_by_sql(store, text, found.users))
            tags = [*(f"flag_{tag:03}" for tag in range(FLAGS))]
            tags += [f"word_{tag:03}=value_1" for tag in range(WORDS)]
            tags += [f"number_{tag:03}" for tag in range(NUMBERS)]
            tags += [f"date_{tag:03}" for tag in range(DATES)]
            started, begun = time.perf_counter(), time.process_time()
            pairs = list_overlaps(store, tags)
            overlaps = time.perf_counter() - started
            overlaps_worked = time.process_time() - begun
    for seconds in (ours, worked, floor):
        seconds.sort()
    p95 = math.ceil(0.95 * previews) - 1
    return {
        "persons": persons,
        "tags": len(tags),
        "previews": previews,
        "p95_seconds": round(ours[p95], 4),
        "p95_processor_seconds": round(worked[p95], 4),
        "median_seconds": round(ours[previews // 2], 4),
        "sql_p95_seconds": round(floor[p95], 4),
        "written_seconds": round(written, 2),
        "pairs": len(pairs),
        "pairs_seconds": round(overlaps, 3),
        "pairs_processor_seconds": round(overlaps_worked, 3),
    }


def _count_by_sql(store: "Store", text: str, expected: int) -> float:
    """Seconds of the bare count by DuckDB over the wide table, which has to be the same."""
    from zhongtai.tags.condition_sql import condition_sql

    sql = condition_sql(store.parse(text), store.populace.sql_of)
    connection: duckdb.DuckDBPyConnection = store.connection
    started = time.perf_counter()
    query = f"select count(*) from profiles.main.dim_user_tags as tags where {sql}"
    row = connection.execute(query).fetchone()
    seconds = time.perf_counter() - started
    if row is None or row[0] != expected:
        raise AssertionError(f"{text}: {expected} by bitmaps, {row} by SQL")
    return seconds


def main() -> None:
    """Print what was measured as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.preview", description=__doc__)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--previews", type=int, default=200)
    options = parser.parse_args()
    print(json.dumps(measure(options.persons, options.previews), indent=1))  # noqa: T201  # a result


if __name__ == "__main__":
    main()
