"""Large partitions of persons have leaves: readers see the same, and no publish stumbles."""

import psycopg
import pytest

from zhongtai.database import connect
from zhongtai.publish import postgres_leaves, publisher
from zhongtai.settings import Settings

from publish_cases import make_candidate, write_build

# every last sign, one that is no hexadecimal digit, and no id at all
IDS = [f"u_{sign}" for sign in "0123456789abcdef"] + ["u_X", "u_星", ""]
VISITS = (
    "select nullif(one_id, 'u_') as one_id, 'a,\"b\"' || one_id as note from (select unnest("
    f"{[*IDS, 'u_']}) as one_id) cross join range({{n}})"
)


def publish(settings: Settings, connection: psycopg.Connection, rows: int) -> str:
    users = "select one_id from (select unnest(['u_1', 'u_2']) as one_id)"
    write_build(settings, rows, profiles={"dim_users": users, "fct_visits": VISITS})
    candidate = make_candidate(settings, connection, rows)
    return publisher.publish_candidate(settings, connection, candidate)


def test_readers_see_every_row_once_whatever_the_publishes_before_were_like(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    with connect(settings, autocommit=True) as connection:
        for rows, most in ((1, 10), (2, 10), (3, 10**6), (4, 10), (5, 10)):
            monkeypatch.setattr(postgres_leaves, "ROWS_TO_SPLIT", most)
            snapshot_id = publish(settings, connection, rows)
            shown = connection.execute(
                "select one_id, note, count(*), min(snapshot_id), max(snapshot_id)"
                " from profiles.fct_visits group by 1, 2"
            ).fetchall()
            expected = {
                (one_id if one_id != "u_" else None, f'a,"b"{one_id}', rows, *[snapshot_id] * 2)
                for one_id in [*IDS, "u_"]
            }
            assert set(shown) == expected
            assert len(shown) == len(expected)
        leaves = connection.execute(
            "select count(*) from pg_inherits i join pg_partitioned_table p on p.partrelid ="
            " i.inhparent where p.partattrs[0] = 0"
        ).fetchone()
        # two of the three kept snapshots are split into five
        assert settings.keep_snapshots == 3
        assert leaves == (10,)


def test_nothing_published_is_vacuumed_by_itself(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "commit_identity", lambda *_: None)
    monkeypatch.setattr(postgres_leaves, "ROWS_TO_SPLIT", 10)
    with connect(settings, autocommit=True) as connection:
        publish(settings, connection, 2)
        options = connection.execute(
            "select c.reloptions, count(*) from pg_inherits i join pg_class c on c.oid = i.inhrelid"
            " join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind = 'r' and n.nspname in ('metrics_data', 'profiles_data') group by 1"
        ).fetchall()
    assert [option for option, _ in options] == [["autovacuum_enabled=false"]]
    assert options[0][1] >= 7
