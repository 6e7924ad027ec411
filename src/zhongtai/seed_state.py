"""Whether the seeds stand in the working file as their files say: kept in the working file.

They are loaded and tested all together, where one of them or what they are tested by changed, and
otherwise not at all.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from zhongtai.seed_faults import check_seeds

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def expect(build: "DuckDBPyConnection", project_dir: Path) -> None:
    """Drop the tables of seeds that are not what the files say now; schema `meta` exists.

    dbt fills a table that is there anew and keeps its columns, so one of another form must go.
    Tables of no file are left alone. Raises ConfigurationError where a file is not as declared.
    """
    for table in ("expected_seeds", "loaded_seeds"):
        build.execute(f"create table if not exists meta.{table} (fingerprint text)")
    expected = _fingerprint(project_dir)
    build.execute("delete from meta.expected_seeds")
    build.execute("insert into meta.expected_seeds values (?)", [expected])
    tables = {
        row[0]
        for row in build.execute(
            "select table_name from duckdb_tables() where schema_name = 'seeds'"
        ).fetchall()
    }
    files = {file.stem for file in (project_dir / "seeds").glob("*.csv")}
    loaded = build.execute("select fingerprint from meta.loaded_seeds").fetchall()
    if loaded != [(expected,)] or not files <= tables:
        check_seeds(build, project_dir)
        build.execute("delete from meta.loaded_seeds")
        for table in files & tables:
            build.execute(f'drop table seeds."{table}"')


def are_loaded(build: "DuckDBPyConnection") -> bool:
    """Whether `expect` left the tables of seeds standing."""
    return bool(build.execute("from meta.loaded_seeds").fetchall())


def record(build: "DuckDBPyConnection") -> None:
    """The seeds are loaded and passed their tests."""
    build.execute("delete from meta.loaded_seeds")
    build.execute("insert into meta.loaded_seeds from meta.expected_seeds")


def _fingerprint(project_dir: Path) -> str:
    """A digest of the seeds and of the code that loads and tests them."""
    project = project_dir / "dbt_project"
    files = [
        *sorted(project_dir.glob("seeds/*.csv")),
        *sorted(project_dir.glob("seeds/*.yml")),
        *sorted(file for name in ("macros", "tests") for file in (project / name).rglob("*.sql")),
        project / "dbt_project.yml",
    ]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.relative_to(project_dir)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
