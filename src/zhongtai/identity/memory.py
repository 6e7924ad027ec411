"""What a resolution leaves in the working file for the next one: schema identity_state.

It is written in the transaction of the resolution itself, so it always tells of the tables of
schema identity that stand beside it. Where it is lost, or was made by other code or another
declaration, everything is resolved anew.
"""

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.identity.declaration import Declaration, IdentifierType

if TYPE_CHECKING:
    import duckdb

_ABOUT = (
    "mark varchar, salt varchar, resolution varchar, persons bigint, members hugeint,"
    " upper ubigint, lower ubigint, total hugeint"
)


@dataclass(frozen=True)
class Sum:
    """What the version of a partition is made of; sums of disjoint parts add up to the whole's."""

    members: int = 0
    upper: int = 0
    lower: int = 0
    total: int = 0

    def plus(self, other: "Sum") -> "Sum":
        """The sum of both parts."""
        return Sum(
            self.members + other.members,
            self.upper ^ other.upper,
            self.lower ^ other.lower,
            self.total + other.total,
        )

    def minus(self, other: "Sum") -> "Sum":
        """The sum without a part of it."""
        return Sum(
            self.members - other.members,
            self.upper ^ other.upper,
            self.lower ^ other.lower,
            self.total - other.total,
        )


@dataclass(frozen=True)
class About:
    """The resolution that left the state: made by what (`mark`), and its name (`resolution`)."""

    mark: str
    salt: str
    resolution: str
    persons: int
    sum: Sum


def mark_of(declaration: Declaration, *, with_attributes: bool) -> str:
    """A digest of all but the data that decides the result: code, engines and declaration."""
    import duckdb

    sound = declaration.sound
    parts = [
        _hash_code(),
        duckdb.__version__,
        *(_describe(one) for one in declaration.types.values()),
        repr(declaration.blocked),
        f"{getattr(sound, '__module__', '')}.{getattr(sound, '__qualname__', repr(sound))}",
        str(with_attributes),
    ]
    if declaration.matching:
        task, model = declaration.matching
        parts += [repr(task), model.content_hash, version("splink")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def recall(connection: "duckdb.DuckDBPyConnection") -> About | None:
    """What was left here; None where nothing was."""
    found = connection.execute(
        "select 1 from duckdb_tables() where schema_name = 'identity_state'"
        " and table_name = 'about' and database_name = current_database()"
    ).fetchone()
    row = connection.execute("select * from identity_state.about").fetchone() if found else None
    if row is None:
        return None
    mark, salt, resolution, persons, *numbers = row
    return About(mark, salt, resolution, persons, Sum(*numbers))


def remember(connection: "duckdb.DuckDBPyConnection", about: About) -> None:
    """Say what the tables of schema identity_state tell of."""
    connection.execute(f"create or replace table identity_state.about ({_ABOUT})")
    connection.execute(
        "insert into identity_state.about values (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            about.mark,
            about.salt,
            about.resolution,
            about.persons,
            about.sum.members,
            about.sum.upper,
            about.sum.lower,
            about.sum.total,
        ],
    )


def _describe(one: IdentifierType) -> str:
    # the order of a set differs from process to process
    return repr({k: sorted(v) if isinstance(v, frozenset) else v for k, v in asdict(one).items()})


@cache
def _hash_code() -> str:
    """A digest of this package: other code may decide otherwise."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".py", ".parquet"):
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
