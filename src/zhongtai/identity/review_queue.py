"""The review queue of the published map: pairs that matching leaves to people."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.identity.decisions import Decision, decide, load_decisions
from zhongtai.identity.references import Reference
from zhongtai.identity.state import read_history
from zhongtai.settings import Settings

if TYPE_CHECKING:
    import duckdb

_OPEN = """
from read_parquet($queue) as q
anti join identity.decisions as d using (
    source, entity, record_key, other_source, other_entity, other_record_key
)
"""
_SELECT = f"""
select
    pair_id,
    source,
    entity,
    record_key,
    other_source,
    other_entity,
    other_record_key,
    probability,
    reason,
    comparisons,
{_OPEN}
where $pair is null or pair_id = $pair
order by probability desc, pair_id
limit $limit
"""
_EXPLANATIONS = {
    "below_accept": "probable, not certain enough to join",
    "weak_average": "alike, but not to all that the other was joined with",
    "insufficient": "alike only in what a family or namesakes share",
    "cut_component": "too many alike at once to join any",
}


@dataclass(frozen=True)
class Compared:
    """One comparison of a pair: what is known, masked, and its part of the match weight."""

    comparison: str
    agreement: str
    weight: float
    value: str | None
    other_value: str | None


@dataclass(frozen=True)
class ReviewPair:
    """Two records that may be one person; each stands for all that was joined with it."""

    pair_id: str
    left: Reference
    right: Reference
    probability: float
    reason: str
    comparisons: tuple[Compared, ...]

    @property
    def explanation(self) -> str:
        """Why the pair was left to people, in words."""
        return _EXPLANATIONS.get(self.reason, self.reason)


@dataclass(frozen=True)
class ReviewQueue:
    """The most probable pairs first; `waiting` counts all that are not decided."""

    waiting: int
    pairs: tuple[ReviewPair, ...]


def read_review_queue(settings: Settings, limit: int | None = None) -> ReviewQueue:
    """The pairs of the published map that nobody decided about yet, at most `limit` of them.

    Raises ZhongtaiError where nothing is published.
    """
    with _open(settings) as (connection, queue):
        row = connection.execute(f"select count(*) {_OPEN}", {"queue": queue}).fetchone()
        pairs = _select(connection, queue, limit=limit)
    return ReviewQueue(int(row[0]) if row else 0, pairs)


def decide_pair(
    settings: Settings, pair_id: str, *, is_one_person: bool, author: str, because: str
) -> Decision:
    """Record what a reviewer says of a pair of the queue, as a merge or a split of its records.

    Raises ConfigurationError where the queue has no such pair, ZhongtaiError where the decision
    contradicts others.
    """
    pair = find_pair(settings, pair_id)
    return decide(
        settings,
        "merge" if is_one_person else "split",
        pair.left,
        pair.right,
        author=author,
        because=because,
    )


def find_pair(settings: Settings, pair_id: str) -> ReviewPair:
    """The pair of that id; raises ConfigurationError where it does not wait for a decision."""
    with _open(settings) as (connection, queue):
        found = _select(connection, queue, pair_id=pair_id)
    if not found:
        raise ConfigurationError(
            f"no pair {pair_id} waits for a decision",
            hint="`zhongtai identity review` lists the pairs that do; those that are decided or"
            " changed since are not among them",
        )
    return found[0]


@contextmanager
def _open(settings: Settings) -> Iterator[tuple["duckdb.DuckDBPyConnection", str]]:
    """The decisions that hold, and the file of the queue."""
    import duckdb

    folder = read_history(settings).previous
    if folder is None:
        raise ZhongtaiError(
            f"nothing is published in {settings.home} yet, so no pair waits for a decision",
            hint="publish first with `zhongtai run`",
        )
    queue = folder / "review_pairs.parquet"
    if not queue.exists():
        raise ZhongtaiError(
            f"the published map in {folder} has no review queue: an older version published it",
            hint="publish again with `zhongtai run`",
        )
    with duckdb.connect(config={"temp_directory": str(settings.path("tmp"))}) as connection:
        load_decisions(settings, connection)
        yield connection, str(queue)


def _select(
    connection: "duckdb.DuckDBPyConnection",
    queue: str,
    *,
    pair_id: str | None = None,
    limit: int | None = None,
) -> tuple[ReviewPair, ...]:
    rows = connection.execute(_SELECT, {"queue": queue, "pair": pair_id, "limit": limit}).fetchall()
    return tuple(
        ReviewPair(
            row[0],
            Reference(*row[1:4]),
            Reference(*row[4:7]),
            row[7],
            row[8],
            tuple(Compared(**compared) for compared in row[9]),
        )
        for row in rows
    )
