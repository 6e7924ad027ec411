"""Finding erased persons again by their tombstones alone, after an older backup was restored."""

import pyarrow as pa

from zhongtai.contracts import Contracts
from zhongtai.erasure.key import mac_sql, read_key
from zhongtai.erasure.matching import WANTED_SCHEMA
from zhongtai.erasure.naming import ANYTHING
from zhongtai.erasure.raw import RawZone
from zhongtai.ingest.rules import literal
from zhongtai.settings import Settings


def recall_values(
    settings: Settings, contracts: Contracts, raw: RawZone, macs: list[str]
) -> pa.Table:
    """What rows of the raw zone say whose tombstones are `macs` (WANTED_SCHEMA)."""
    duck = raw.duck
    pads = read_key(settings).pads
    duck.execute(
        "create or replace temp table pads as select $inner::blob as i, $outer::blob as o", pads
    )
    duck.execute("create or replace temp table macs as select unnest(?::varchar[]) as mac", [macs])
    mac = mac_sql("kind", "value")
    for name, column in (("$inner", "i"), ("$outer", "o")):
        mac = mac.replace(name, f"(select {column} from pads)")  # noqa: S608
    condition = f"{mac} in (select mac from macs)"  # noqa: S608
    found = [raw.recall_values(contract, condition) for contract in contracts.values()]
    duck.register("recalled", pa.concat_tables([*found, WANTED_SCHEMA.empty_table()]))
    try:
        # a value that texts were searched for has a tombstone of its own
        anything = mac.replace("encode(kind", f"encode({literal(ANYTHING)}")
        return (
            duck.execute(
                "select kind, value from recalled"  # noqa: S608 - our own
                f" union select '{ANYTHING}', value from recalled"
                f" where {anything} in (select mac from macs)"
            )
            .to_arrow_table()
            .cast(WANTED_SCHEMA)
        )
    finally:
        duck.unregister("recalled")
