"""Random staged rows of every contract, as dirty as the input contract lets them be."""

import json
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from metrics_bench import AS_OF, Bench, Project, compile_project

from zhongtai.contracts import load_contracts
from zhongtai.contracts.model import Column, Contract
from zhongtai.quality.reconciliation import PERSON_RECORDS
from zhongtai.settings import load_settings

Row = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
COMPILED = (
    "intermediate/facts/",
    "intermediate/metrics/",
    "intermediate/users/",
    "marts/metrics/",
    "intermediate/identity/",
    *(
        f"marts/profiles/{name}.sql"
        for name in (
            "bridge_user_vehicles", "dim_users", "dim_users_sources", "dim_staff_names",
            "dim_member_names", "fct_commission_accruals", "fct_referral_rewards",
            "fct_user_scores", "fct_next_actions",
        )
    ),
)  # fmt: skip
_DAY = timedelta(days=1)
_AGO = (1, 2, 3, 8, 20, 31, 40, 95, 200, 400, 1200)
# early in the day and at night the dates of UTC and of China differ
CLOCKS = [AS_OF, AS_OF + timedelta(hours=7, minutes=59), AS_OF + timedelta(hours=12)]
# the largest number that staging lets through
MOST = 9_999_999_999_999
NUMBERS = [0, 1, 5, 10, 50, 100, 101, -1, 3600, MOST]
MONEY = [0, 1, -1, 100_000, -100_000, 9_910, -9_910, 23_980_000, MOST, -MOST]
EVENTS = ["ViewSeries", "ViewConfig", "ClickFinance", "CompareSeries", "SubmitInquiry"]
EVENTS += ["ViewContent", "ShareContent", "CommunityPost", "JoinActivity", "BindVehicle"]
EVENTS += ["UnbindVehicle", "Subscribe", "ReferralOpen", "ReferralSubmit", "view_series", "New"]
OLD = [datetime.fromisoformat(day) for day in ("1900-01-01", "1970-01-01", "2011-05-31T16:00")]
FAR = datetime.fromisoformat("2099-12-31T23:59:59")
PERIODS = ["2026-07", "2026-08", "2026-09"]
ODD_PERIODS = ["2099-12", "1985-01", "0001-01", "2026-13", "7月"]
# the person of a record is one of these
PERSONS = [f"u_{number:032x}" for number in range(8)]

_NAMED: dict[str, Sequence[object]] = {
    "event": EVENTS, "event_name": EVENTS, "type": ["track"],
}  # fmt: skip
_KINDS: dict[str, Sequence[object]] = {
    "yuan": MONEY, "fen": MONEY, "int": NUMBERS, "num": NUMBERS, "bool": [True, False],
    "mobile": [f"+86139{number:08d}" for number in range(6)],
}  # fmt: skip


@cache
def dirt_project() -> Project:
    """All models above staging that need no identity and no tags, compiled once a session."""
    with TemporaryDirectory() as home:
        return compile_project(load_settings(home=Path(home), threads=2), COMPILED)


class Dirt:
    """The rows of one random world. `dirty` is the share of cells that are strange."""

    def __init__(self, seed: int, as_of: datetime, rows: int, dirty: float) -> None:
        self.random = Random(seed)  # noqa: S311  # repeatable, not secret
        self.as_of, self.count, self.dirty = as_of, rows, dirty
        # the first and the last moment that staging lets through, and the base of epochs
        self.edges = [as_of, as_of + _DAY, as_of - timedelta(microseconds=1)]
        self.edges += OLD
        self.plain = [as_of - days * _DAY for days in _AGO]
        self.planned = [as_of + 30 * _DAY, FAR]
        self.contracts = load_contracts(ROOT).values()
        # what names a row of another entity: staff_id, order_no, vin, …
        self.references = {
            contract.by_delivered[contract.key[0]].name
            for contract in self.contracts
            if len(contract.key) == 1
        }

    def is_strange(self) -> bool:
        return self.random.random() < self.dirty

    def rows(self, contract: Contract) -> list[Row]:
        """Rows of one entity, each with a key of its own."""
        found = [self.row(contract, number) for number in range(self.count)]
        return list({row["record_key"]: row for row in found}.values())

    def row(self, contract: Contract, number: int) -> Row:
        keys = [contract.by_delivered[delivered] for delivered in contract.key]
        values = {column.name: self.value(column) for column in contract.columns}
        if len(keys) == 1:
            values[keys[0].name] = self.name(keys[0].name, number)
        else:
            for key in keys:
                while values[key.name] is None:
                    values[key.name] = self.value(key)
        values["record_key"] = "|".join(str(values[key.name]) for key in keys)
        values["_delivery_order"] = f"{number % 3}"
        values["_row_number"] = number
        return values

    def name(self, column: str, number: int) -> str:
        if column == "vin":
            return f"LZWADAGA{number:09d}"
        return f"{column}{number}"

    def value(self, column: Column) -> object:
        if self.is_strange() and self.random.random() < 0.5:
            return None
        if column.name in self.references or column.type == "vin":
            return self.name(column.name, self.random.randrange(self.count + 1))
        if column.type in ("ts", "ms", "date"):
            return self.time(column)
        if column.type == "json":
            return self.properties()
        known: Sequence[object] = column.values or [f"{column.name}{n}" for n in range(4)]
        if column.values and self.is_strange():
            known = ["新词"]
        if column.name == "period":
            known = ODD_PERIODS if self.is_strange() else PERIODS
        return self.random.choice(_NAMED.get(column.name, _KINDS.get(column.type, known)))

    def time(self, column: Column) -> datetime | date:
        choices = self.edges if self.is_strange() else self.plain
        if column.time_role == "planned":
            choices = [*choices, *self.planned]
        found = self.random.choice(choices)
        if column.type != "date":
            return found
        local = found + timedelta(hours=8)
        if column.time_role != "planned":
            local = min(local, self.as_of + timedelta(hours=8))
        return local.date()

    def properties(self) -> str:
        some = self.random.randrange(4)
        said = {
            "series_code": f"series_code{some}", "dealer_code": f"dealer_code{some}",
            "content_id": f"c{some}", "campaign_code": f"campaign_code{some}",
            "member_code": f"member_code{some}", "vin": self.name("vin", some),
            "mobile": "13912345678", "amount_fen": self.random.choice(MONEY),
        }  # fmt: skip
        return json.dumps({k: v for k, v in said.items() if not self.is_strange()})


def fill_dirt(bench: Bench, seed: int, rows: int, dirty: float) -> None:
    """Put a world of every entity into the bench, its records linked to a few persons."""
    dirt = Dirt(seed, bench.as_of, rows, dirty)
    bench.connection.execute("insert into identity.version values ('v')")
    companies: list[Row] = []
    for contract in dirt.contracts:
        made = dirt.rows(contract)
        columns = bench.project.nodes[f"stg_{contract.table}"]["columns"]
        key = PERSON_RECORDS.get(contract.name, "record_key")
        for row in made:
            row["subject_key"] = row.get("distinct_id", row.get("visitor_id"))
        known = [{n: v for n, v in row.items() if n in columns} for row in made]
        bench.given(f"stg_{contract.table}", known)
        if contract.name not in PERSON_RECORDS:
            continue
        records = sorted({str(row[key]) for row in made})
        if contract.name in ("dms.customers", "dms.orders"):
            owned = [record for record in records if dirt.random.random() < 0.2]
            companies += _companies(contract, owned)
            records = [record for record in records if record not in owned]
        who = {record: dirt.random.choice(PERSONS) for record in records}
        bench.persons(contract.source, contract.entity, who)
    bench.given("bridge_organisation_records", companies)


def _companies(contract: Contract, records: Sequence[str]) -> list[Row]:
    names = {"source": contract.source, "entity": contract.entity, "organisation_id": "o1"}
    return [names | {"record_key": record} for record in records]
