"""Which records must become one person, judged by the identifiers that survive the dirt."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from zhongtai.generate.dirt_values import record_keys
from zhongtai.generate.draws import Array, joined
from zhongtai.generate.frames import NOBODY, Frame, select_rows

# entity: (column, identifier type); the dealer is the scope of a DMS number
IDENTIFIERS: dict[str, tuple[tuple[str, str], ...]] = {
    "crm.contacts": (
        ("客户ID", "crm_customer_id"),
        ("手机号", "mobile"),
        ("邮箱", "email"),
        ("微信UnionID", "unionid"),
        ("企微ExternalUserID", "wecom_external_id"),
    ),
    "crm.leads": (("客户ID", "crm_customer_id"), ("手机号", "mobile"), ("微信UnionID", "unionid")),
    "crm.adf_leads": (("phone", "mobile"), ("email", "email")),
    "crm.complaints": (("手机号", "mobile"),),
    "crm.surveys": (("手机号", "mobile"),),
    "crm.owner_contacts": (("手机号", "mobile"),),
    "crm.wecom_contacts": (
        ("企微ExternalUserID", "wecom_external_id"),
        ("微信UnionID", "unionid"),
        ("手机号", "mobile"),
    ),
    "dms.customers": (
        ("DMS客户号", "dms_customer_id"),
        ("证件号码", "id_card"),
        ("手机", "mobile"),
        ("邮箱", "email"),
    ),
    "dms.store_visits": (("手机", "mobile"),),
    "dms.test_drives": (("手机", "mobile"),),
    "dms.orders": (("DMS客户号", "dms_customer_id"), ("手机", "mobile"), ("证件号码", "id_card")),
    "dms.service_orders": (("送修人手机", "mobile"),),
    "dms.addon_sales": (("手机", "mobile"),),
    "partner.members": (
        ("member_code", "member_code"),
        ("mobile", "mobile"),
        ("unionid", "unionid"),
    ),
    "partner.referrals": (("mobile", "mobile"), ("unionid", "unionid")),
}
SUBJECTS = {
    "app.events": "distinct_id",
    "miniprogram.events": "distinct_id",
    "website.visits": "visitUserId",
    "website.pages": "visitUserId",
    "website.custom_events": "visitUserId",
}


@dataclass(frozen=True)
class Records:
    """Records that carry a person, and the edges from them to identifier values.

    `evidence` has columns record (row of `table`), identifier (type, scope and value).
    """

    table: pa.Table
    evidence: pa.Table


def newest(frame: Frame) -> Frame:
    """Return the good rows that count: the newest version of each key, or its first delivery."""
    good = np.flatnonzero(frame.is_good)
    keys = record_keys(frame).take(pa.array(good)).dictionary_encode().indices.to_numpy()
    order = np.zeros(len(good), dtype=np.int64)
    if frame.entity.version:
        order = frame.table.column(frame.entity.version).cast(pa.int64()).to_numpy()[good]
    place = np.lexsort((good, order, keys))
    ordered = keys[place]
    last = np.r_[ordered[1:] != ordered[:-1], np.ones(min(len(ordered), 1), dtype=bool)]
    if not frame.entity.version:
        last = np.r_[np.ones(min(len(ordered), 1), dtype=bool), ordered[1:] != ordered[:-1]]
    return select_rows(frame, np.sort(good[place[last]]))


def records_of(frame: Frame) -> Records | None:
    """Return the records of a frame's surviving rows; None where the entity carries no person.

    `frame` is what `newest` returned; for events all rows of a subject make one record.
    """
    name = frame.entity.full_name
    if name in SUBJECTS:
        return _subject_records(frame)
    if name not in IDENTIFIERS:
        return None
    row = np.arange(len(frame))
    dealer = frame.table.column("经销商代码") if "经销商代码" in frame.entity.columns else None
    pairs = []
    for column, kind in IDENTIFIERS[name]:
        values = frame.table.column(column).combine_chunks()
        scope = dealer.combine_chunks() if kind == "dms_customer_id" and dealer is not None else ""
        pairs.append((row, joined(kind, "|", scope, "|", values)))
    table = _table(frame, record_keys(frame), frame.person, frame.organisation)
    return Records(table, _edges(pairs))


def _subject_records(frame: Frame) -> Records:
    good = np.flatnonzero(frame.is_good)
    subject = frame.table.column(SUBJECTS[frame.entity.full_name]).take(pa.array(good))
    encoded = subject.combine_chunks().dictionary_encode()
    code = encoded.indices.to_numpy()
    person = np.full(len(encoded.dictionary), NOBODY)
    person[code] = frame.person[good]
    # What several persons use, a kiosk or the tablet of a family, is nobody's record.
    person[code[person[code] != frame.person[good]]] = NOBODY
    pairs = []
    for (kind, scope), values in frame.evidence.items():
        pairs.append((code, joined(f"{kind}|{scope}|", values.take(pa.array(good)))))
    nobody = np.full(len(person), NOBODY)
    return Records(_table(frame, encoded.dictionary, person, nobody), _edges(pairs))


def _table(frame: Frame, keys: pa.Array, person: Array, organisation: Array) -> pa.Table:
    source, entity = frame.entity.source, frame.entity.name
    entity = "visits" if source == "website" else entity
    return pa.table(
        {
            "source": pa.repeat(source, len(keys)),
            "entity": pa.repeat(entity, len(keys)),
            "record_key": keys,
            "person_id": pa.array(person, mask=person < 0),
            "organisation_id": pa.array(organisation, mask=organisation < 0),
        }
    )


def _edges(pairs: list[tuple[Array, pa.Array]]) -> pa.Table:
    tables = []
    for row, values in pairs:
        known = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False))
        table = pa.table({"record": row[known], "identifier": values.take(pa.array(known))})
        tables.append(table.group_by(["record", "identifier"]).aggregate([]))
    return pa.concat_tables(tables)


def merge_records(parts: list[Records]) -> Records:
    """Return all records once, with all their edges; the exports of the website share subjects."""
    tables, edges, start = [], [], 0
    for part in parts:
        shifted = pc.add(part.evidence.column("record"), start)
        edges.append(part.evidence.set_column(0, "record", shifted))
        tables.append(part.table)
        start += part.table.num_rows
    table, evidence = pa.concat_tables(tables), pa.concat_tables(edges)
    keys = joined(
        *(table.column(name).combine_chunks() for name in ("source", "entity", "record_key")),
        separator="|",
    )
    code = keys.dictionary_encode().indices.to_numpy()
    _, first = np.unique(code, return_index=True)
    row = pa.array(code[evidence.column("record").to_numpy()])
    return Records(table.take(pa.array(first)), evidence.set_column(0, "record", row))


def label_components(records: Records, refused: pa.Array) -> Array:
    """Return the component of each record, by its smallest row, without `refused` identifiers.

    Records of organisations stand alone, and so does what a refused browser or device did.
    """
    count = records.table.num_rows
    company = records.table.column("organisation_id").combine_chunks().is_valid().to_numpy(False)
    evidence = records.evidence
    kept = pc.invert(pc.is_in(evidence.column("identifier"), refused)).to_numpy()
    values = pc.replace_substring_regex(refused, r"^[^|]*\|[^|]*\|", "")
    alone = company | pc.is_in(records.table.column("record_key"), values).to_numpy()
    kept &= ~alone[evidence.column("record").to_numpy()]
    evidence = evidence.take(pa.array(np.flatnonzero(kept)))
    codes = evidence.column("identifier").combine_chunks().dictionary_encode()
    record, value = evidence.column("record").to_numpy(), codes.indices.to_numpy()
    size = count + len(codes.dictionary)
    graph = coo_matrix((np.ones(len(record), dtype=np.int8), (record, value + count)), (size, size))
    labels = connected_components(graph, directed=False)[1][:count]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.asarray(first[inverse])
