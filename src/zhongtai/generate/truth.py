"""Writes what is true beside the exports, as Parquet below `truth/`.

persons, organisations, vehicles, ownership: the made-up world itself. records: each record that
carries a person or a company, with the real `person_id`, the `component` that exact connected
components over the surviving identifiers give (hub numbers are no evidence), the same with hub
numbers (`component_unguarded`), and `is_contested` where guard rails may rightly decide otherwise.
partition: the columns of records that a comparison needs. ledger, ledger_by_wave: the verdict on
each file of `landing/` and of `waves/`. clean/<source>__<entity>: what a faultless reader has once
the newest version of each key is chosen (undecodable bytes dropped, formulas null). behaviours: the
same of events. metrics/: shared tables, persons counted as in `identity_classes` (which, with the
other truth of identities, `identity_truth` tells about). dirt: what was put where. personal_values:
all that must not be found in `metrics`.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zhongtai.generate.clues import clues_of
from zhongtai.generate.crm import cities, provinces
from zhongtai.generate.dirt_values import DirtLog
from zhongtai.generate.draws import MISSING, Array, joined, rows_of
from zhongtai.generate.frames import Frame, typed
from zhongtai.generate.identity_truth import IDENTITY_TRUTH, hub_identifiers, identity_tables
from zhongtai.generate.ledger import ledger_of
from zhongtai.generate.partition import (
    Records,
    label_components,
    merge_records,
    newest,
    records_of,
)
from zhongtai.generate.post import Delivered
from zhongtai.generate.truth_events import behaviours_of, no_behaviours
from zhongtai.generate.workforce import staff_names
from zhongtai.generate.world import World

DIRT_COLUMNS = ("kind", "source", "entity", "column", "record_key", "file", "outcome")
EVENT_FORMATS = ("jsonl", "growing")
STAFF_COLUMNS = ("mobile", "unionid")


@dataclass
class Truth:
    """Collects the truth entity by entity, then writes it below `folder`."""

    folder: Path
    records: list[Records] = field(default_factory=list)
    clues: list[pa.Table] = field(default_factory=list)
    behaviours: list[pa.Table] = field(default_factory=list)
    requests: Frame | None = None
    staff: Frame | None = None

    def add(self, frame: Frame) -> None:
        """Take in the rows of an entity, after the dirt; write the clean ones."""
        kept = frame if frame.entity.format in EVENT_FORMATS else newest(frame)
        found = records_of(kept)
        if found is not None:
            self.records.append(found)
        clues = clues_of(kept)
        if clues is not None:
            self.clues.append(clues)
        behaviours = behaviours_of(frame)
        if behaviours is not None:
            self.behaviours.append(behaviours)
        if frame.entity.full_name == "crm.erasure_requests":
            self.requests = kept
        if frame.entity.full_name == "workforce.staff":
            self.staff = kept
        if frame.entity.format not in EVENT_FORMATS:
            name = f"{frame.entity.source}__{frame.entity.name}"
            write_table(kept.table, self.folder / "clean" / f"{name}.parquet")

    def write(self, world: World, delivered: list[Delivered], log: DirtLog) -> None:
        """Write everything but the clean rows."""
        merged = merge_records(self.records)
        tables = identity_tables(world, merged, self.clues) | {
            "records": self._records(world, merged),
            "persons": _persons(world),
            "organisations": _organisations(world),
            "vehicles": _vehicles(world),
            "ownership": _ownership(world),
            "ledger": ledger_of(delivered, by_wave=False),
            "ledger_by_wave": ledger_of(delivered, by_wave=True),
            "personal_values": _personal_values(world),
            "behaviours": pa.concat_tables([no_behaviours(), *self.behaviours]),
            "dirt": _dirt(log),
        }
        partition = ["source", "entity", "record_key", "component", "is_contested"]
        tables["partition"] = tables["records"].select(partition)
        for name, table in tables.items():
            write_table(table, self.folder / f"{name}.parquet")

    def _records(self, world: World, merged: Records) -> pa.Table:
        hubs = hub_identifiers(world)
        component = label_components(merged, hubs)
        unguarded = label_components(merged, hubs.slice(0, 0))
        contested = np.isin(unguarded, unguarded[_naming(merged, hubs)])
        contested |= np.isin(unguarded, _shared_by_persons(unguarded, merged.table))
        own = self._staff_identifiers()
        own = own.filter(pc.invert(pc.is_in(own, hubs)))
        staff = np.isin(component, component[_naming(merged, own)])
        person = pc.fill_null(merged.table.column("person_id"), -1).to_numpy()
        erased = np.isin(person, _erased(self.requests)) & (person >= 0)
        table = merged.table
        for name, values in (
            ("component", component),
            ("component_unguarded", unguarded),
            ("is_contested", contested),
            ("is_staff", staff),
            ("is_erased", erased),
        ):
            table = table.append_column(name, pa.array(values))
        return table

    def _staff_identifiers(self) -> pa.Array:
        """Return the identifiers of employees, as the staff export shows them."""
        if self.staff is None:
            return pa.array([], pa.string())
        table = self.staff.table
        found = [joined(f"{name}||", table.column(name).combine_chunks()) for name in STAFF_COLUMNS]
        return pa.concat_arrays(found).drop_null()


def _shared_by_persons(component: Array, records: pa.Table) -> Array:
    """Return the components that hold records of several real persons."""
    table = pa.table({"component": component, "person": records.column("person_id")})
    counts = table.group_by("component").aggregate([("person", "count_distinct")])
    several = pc.greater(counts.column("person_count_distinct"), 1)
    return np.asarray(counts.column("component").filter(several).to_numpy())


def _naming(records: Records, identifiers: pa.Array) -> Array:
    """Return the records that name one of the identifiers."""
    found = pc.is_in(records.evidence.column("identifier"), identifiers).to_numpy()
    return np.asarray(records.evidence.column("record").to_numpy()[found])


def _erased(requests: Frame | None) -> Array:
    """Return the persons who asked for erasure (a withdrawn consent erases nobody)."""
    if requests is None:
        return np.empty(0, dtype=np.int64)
    asks = pc.equal(requests.table.column("类型"), "删除").to_numpy()
    return np.asarray(requests.person[asks])


def write_table(table: pa.Table, path: Path) -> None:
    """Write a Parquet file, without the library's schema metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.combine_chunks(), path, compression="zstd", store_schema=False)


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Write what the world was generated from, and what the files of the truth hold."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(f"{__doc__}\n{IDENTITY_TRUTH}", encoding="utf-8")
    text = json.dumps(summary, ensure_ascii=False, indent=1, default=str)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")


def _persons(world: World) -> pa.Table:
    people = world.people
    number = np.arange(len(people))
    owners = world.ownership.person[(world.ownership.until == MISSING)]
    return pa.table(
        {
            "person_id": number,
            "name": people.name,
            "gender": people.gender,
            "birth_date": typed(people.birth, "date"),
            "mobile": people.mobile,
            "backup_mobile": people.backup_mobile,
            "household_person_id": pa.array(people.household, mask=people.household < 0),
            "email": people.email,
            "id_card": people.id_card,
            "login_id": people.login,
            "anonymous_id_1": people.devices[0],
            "anonymous_id_2": people.devices[1],
            "openid_1": people.openids[0],
            "openid_2": people.openids[1],
            "unionid": people.unionid,
            "wecom_external_id": people.wecom,
            "crm_customer_id_1": people.crm[0],
            "crm_customer_id_2": people.crm[1],
            "visitor_id_1": people.visitors[0],
            "visitor_id_2": people.visitors[1],
            "province": provinces(people.place),
            "city": cities(people.place),
            "is_staff": np.isin(number, world.staff.person),
            "is_partner": np.isin(number, world.members.person),
            "is_owner": np.isin(number, owners),
            "is_hot": people.is_hot,
        }
    )


def _organisations(world: World) -> pa.Table:
    companies = world.companies
    return pa.table(
        {
            "organisation_id": np.arange(len(companies)),
            "name": companies.name,
            "credit_code": companies.credit_code,
            "dealer_code": world.dealer_code(companies.dealer),
            "dms_customer_id": companies.customer,
        }
    )


def _vehicles(world: World) -> pa.Table:
    return pa.table(
        {
            "vin": world.vin,
            "plate": world.plate,
            "dealer_code": world.dealer_code(world.vehicles.dealer),
            "built_at": typed(world.vehicles.built, "ts"),
        }
    )


def _ownership(world: World) -> pa.Table:
    """Return the periods; the second owner of a used car has no order."""
    owned = world.ownership
    return pa.table(
        {
            "vin": rows_of(world.vin, owned.vehicle),
            "person_id": pa.array(owned.person, mask=owned.person < 0),
            "organisation_id": pa.array(owned.company, mask=owned.company < 0),
            "valid_from": typed(owned.since, "ts"),
            "valid_to": typed(owned.until, "ts"),
            "order_no": world.order_no(owned.order),
        }
    )


def _personal_values(world: World) -> pa.Table:
    """Return every personal value of the world, by kind, for scans of what was published."""
    people, companies = world.people, world.companies
    values = {
        "name": [people.name, staff_names(world)],
        "company_name": [companies.name],
        "mobile": [
            *(people.mobile, people.backup_mobile, companies.mobile, world.staff_mobile),
            *(world.cast.numbers.former, world.cast.hubs.store_phone),
        ],
        "email": [people.email, world.cast.hubs.email],
        "id_card": [people.id_card, companies.credit_code],
        "login_id": [people.login, people.second_login],
        "anonymous_id": list(people.devices),
        "openid": list(people.openids),
        "unionid": [people.unionid],
        "wecom_external_id": [people.wecom],
        "crm_customer_id": list(people.crm),
        "visitor_id": list(people.visitors),
        "vin": [world.vin],
        "plate": [world.plate],
        "address": [people.address],
    }
    tables = []
    for kind, arrays in values.items():
        known = pc.unique(pa.concat_arrays(arrays).drop_null())
        tables.append(pa.table({"kind": pa.repeat(kind, len(known)), "value": known}))
    return pa.concat_tables(tables)


def _dirt(log: DirtLog) -> pa.Table:
    columns = zip(*log.entries, strict=True) if log.entries else [()] * len(DIRT_COLUMNS)
    arrays = [pa.array(list(column), pa.string()) for column in columns]
    return pa.Table.from_arrays(arrays, names=list(DIRT_COLUMNS))
