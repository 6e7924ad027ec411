"""Fuzzy matching of 1 M clusters, against plain Splink on the very same blocked pairs.

Ours begins with clusters as identity describes them and ends with groups: features, blocks,
scores, linkage. The floor is given what ours has to find out first: a table of features with
their frequencies and the list of pairs; it is Splink's `predict` alone, from the same floor up.

    python -m benchmarks.matching [--clusters 1000000]
"""

import argparse
import json
import logging
import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# ruff: noqa: S608  # numbers of our own
PROJECT = Path(__file__).parents[1]
_OPTIONS = {"memory_limit": "4GB", "threads": "2", "preserve_insertion_order": "false"}
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文志海波宇晨浩欣怡雪梅琳"

# Few names are very frequent, few towns very large. One in ten has an almost equal fellow.
_CLUSTERS = """
create table clusters as
with people as (
    select i, if(i % 10 = 0, i + 1, i) as person, i % 10 = 0 as is_again
    from range({clusters}) as t(i)
),
drawn as (
    select
        *,
        pow((hash(person, 1) % 1000003) / 1000003, 2.5) as surname,
        pow((hash(person, 2) % 1000003) / 1000003, 1.5) as first,
        pow((hash(person, 3) % 1000003) / 1000003, 1.5) as second,
        floor(300 * pow((hash(person, 4) % 1000003) / 1000003, 2.5))::integer as town,
        130 + hash(person, 17) % 60 as series,
        lpad((hash(person, 5) % 100000000)::varchar, 8, '0') as number,
    from people
)
select
    'crm' || chr(31) || 'leads' || chr(31) || 'L' || lpad(i::varchar, 10, '0') as cluster_key,
    substr('{surnames}', 1 + floor({surname_count} * surname)::integer, 1)
        || substr('{given}', 1 + floor({given_count} * first)::integer, 1)
        || case
            when hash(person, 6) % 3 > 0 and not (is_again and hash(person, 7) % 4 = 0)
            then substr('{given}', 1 + floor({given_count} * second)::integer, 1)
            else ''
        end as name,
    case
        when hash(i, 8) % 10 < 4 then ['+86' || series || number]
        when hash(i, 8) % 10 < 7 then [series || '****' || number[-4:]]
    end as mobiles,
    case
        when hash(i, 9) % 10 < 4 then date '1950-01-01' + (hash(person, 10) % 20000)::integer
    end as birth_date,
    case when hash(i, 11) % 10 < 8 then if(hash(person, 12) % 2 = 0, '男', '女') end as gender,
    '省' || (town % 30) as province,
    '城' || town as city,
    case when hash(i, 13) % 10 < 5 then ['D' || (town * 4 + hash(person, 14) % 4)] end
        as dealer_codes,
    case when hash(i, 15) % 10 < 2 then '和平路' || person || '号' end as address,
    hash(person, 16) % 50 = 0 as has_namesakes,
from drawn
"""


def write_clusters(connection: "duckdb.DuckDBPyConnection", clusters: int) -> None:
    """The table `clusters`, as identity describes what strong evidence left apart."""
    connection.execute(
        _CLUSTERS.format(
            clusters=clusters,
            surnames=_SURNAMES,
            given=_GIVEN,
            surname_count=len(_SURNAMES),
            given_count=len(_GIVEN),
        )
    )


def write_floor(file: Path) -> None:
    """What plain Splink is given: the features with their frequencies, and the pairs."""
    import duckdb

    from zhongtai.identity.matching.blocking import block_pairs
    from zhongtai.identity.matching.features import prepare_features
    from zhongtai.identity.matching.frequencies import attach_frequencies

    task, model = _load()
    with duckdb.connect(file, config=_OPTIONS) as connection:
        prepared = prepare_features(connection, "clusters", task)
        attach_frequencies(connection, task, dict(model.frequencies))
        block_pairs(connection, task, prepared.list_columns)
        connection.execute("create table input as from matching__input")
        connection.execute("create table blocked as from matching__blocked")


def run_ours(file: Path) -> tuple[int, int]:
    """The product's own stage; returns the pairs compared and those kept."""
    import duckdb

    from zhongtai.identity.matching import link, score_pairs

    task, model = _load()
    with duckdb.connect(file, config=_OPTIONS) as connection:
        report = score_pairs(connection, "clusters", task, model)
        link(connection, task)
    return report.compared, report.pairs


def run_splink(file: Path) -> tuple[int, int]:
    """The floor: Splink predicts the given pairs; returns the pairs compared and those kept."""
    import duckdb
    from splink import DuckDBAPI, Linker

    from zhongtai.identity.matching.engine import splink_settings
    from zhongtai.identity.matching.scoring import skip_counting

    task, model = _load()
    logging.getLogger("splink").setLevel(logging.ERROR)
    with duckdb.connect(file, config=_OPTIONS) as connection:
        described = connection.execute("describe clusters").fetchall()
        settings = splink_settings(
            task, {row[0] for row in described if row[1].endswith("[]")}, model
        )
        # what only ours needs, to say why
        settings |= {
            "retain_matching_columns": False,
            "retain_intermediate_calculation_columns": False,
        }
        api = DuckDBAPI(connection)
        linker = Linker(api.register("input"), settings, log_level=None, validate_settings=False)
        skip_counting(connection, linker, task)
        linker.table_management.register_blocked_pairs_for_predict(
            linker._db_api.register("blocked", dataset_display_name="blocked")
        )
        found = linker.inference.predict(
            threshold_match_probability=task.thresholds.floor, warning_mode="never"
        )
        counted = connection.execute(
            f"select (select count(*) from blocked), count(*) from {found.physical_name}"
        ).fetchone()
    return (int(counted[0]), int(counted[1])) if counted else (0, 0)


def _load() -> tuple[Any, Any]:
    from zhongtai.identity import load_declaration

    matching = load_declaration(PROJECT).matching
    if matching is None:
        raise AssertionError("the project declares no matching")
    return matching


def _timed(name: str, file: Path) -> tuple[float, float, tuple[int, int], float]:
    """Seconds, those of the processor, pairs compared and kept, peak GB.

    Loading the libraries is not measured.
    """
    import duckdb  # noqa: F401
    import pandas  # noqa: F401  # pyarrow loads it sooner or later
    import scipy.sparse.csgraph  # noqa: F401
    import splink  # noqa: F401

    import zhongtai.identity.matching  # noqa: F401

    started, processor = time.perf_counter(), time.process_time()
    pairs = {"ours": run_ours, "splink": run_splink}[name](file)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return time.perf_counter() - started, time.process_time() - processor, pairs, peak


def measure(clusters: int) -> dict[str, Any]:
    """Seconds, pairs and peak GB of both, each in a process of its own, and their ratios.

    Raises AssertionError where the two do not keep as many pairs.
    """
    import duckdb

    context = multiprocessing.get_context("spawn")
    measured: dict[str, Any] = {"clusters": clusters}
    found = {}
    with tempfile.TemporaryDirectory(prefix="zhongtai-bench-") as folder:
        file = Path(folder) / "clusters.duckdb"
        with duckdb.connect(file, config=_OPTIONS) as connection:
            write_clusters(connection, clusters)
        for name in ("ours", "floor", "splink"):
            with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
                if name == "floor":
                    process.submit(write_floor, file).result()
                    continue
                seconds, processor, found[name], peak = process.submit(_timed, name, file).result()
            measured |= {
                f"{name}_seconds": round(seconds, 4),
                f"{name}_processor_seconds": round(processor, 4),
                f"{name}_peak_gb": round(peak, 2),
            }
    if found["ours"] != found["splink"]:
        raise AssertionError(f"the two disagree: {found}")
    compared, kept = found["ours"]
    return measured | {
        "compared": compared,
        "kept": kept,
        "ratio": round(measured["ours_seconds"] / measured["splink_seconds"], 2),
        "processor_ratio": round(
            measured["ours_processor_seconds"] / measured["splink_processor_seconds"], 2
        ),
    }


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clusters", type=int, default=1_000_000)
    print(json.dumps(measure(parser.parse_args().clusters)))  # noqa: T201


if __name__ == "__main__":
    main()
