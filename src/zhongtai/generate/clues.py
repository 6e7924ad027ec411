"""What records say of a person besides identifiers: names, places, half a phone."""

import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.dirt_values import record_keys
from zhongtai.generate.draws import filled, only, strings
from zhongtai.generate.frames import Frame
from zhongtai.generate.names import HOMOPHONES, TRADITIONAL

KINDS = ("name", "dealer", "city", "address", "birth", "vin", "spare", "mobile")
COLUMNS: dict[str, dict[str, str]] = {
    "crm.contacts": {
        "name": "姓名", "city": "市", "address": "地址", "birth": "出生日期",
        "spare": "备用手机号", "mobile": "手机号",
    },
    "crm.leads": {"name": "客户姓名", "dealer": "经销商代码", "city": "市", "mobile": "手机号"},
    "crm.adf_leads": {
        "name": "name", "dealer": "vendor_id", "city": "city", "address": "address",
        "mobile": "phone",
    },
    "crm.complaints": {
        "name": "客户姓名", "dealer": "经销商代码", "vin": "VIN", "mobile": "手机号"
    },
    "crm.surveys": {"dealer": "经销商代码", "vin": "VIN", "mobile": "手机号"},
    "crm.owner_contacts": {"vin": "VIN", "mobile": "手机号"},
    "dms.customers": {
        "name": "客户姓名", "dealer": "经销商代码", "city": "市", "address": "地址",
        "spare": "备用电话", "mobile": "手机",
    },
    "dms.store_visits": {"name": "客户姓名", "dealer": "经销商代码", "mobile": "手机"},
    "dms.test_drives": {"name": "客户姓名", "dealer": "经销商代码", "mobile": "手机"},
    "dms.orders": {"name": "客户姓名", "dealer": "经销商代码", "vin": "VIN", "mobile": "手机"},
    "dms.service_orders": {
        "name": "送修人", "dealer": "经销商代码", "vin": "VIN", "mobile": "送修人手机"
    },
    "dms.addon_sales": {"vin": "VIN", "mobile": "手机"},
    "partner.members": {"name": "name", "mobile": "mobile"},
    "partner.referrals": {"name": "customer_name", "mobile": "mobile"},
}  # fmt: skip
TITLES = "(先生|女士)$"


def clues_of(frame: Frame) -> pa.Table | None:
    """Return the clues of surviving rows, by record key; None where the entity has none.

    `name` is spelled in one way for all ways to hear or write it; `hint` is a masked phone.
    """
    columns = COLUMNS.get(frame.entity.full_name)
    if columns is None:
        return None
    count = len(frame)
    found = {
        "source": pa.repeat(frame.entity.source, count),
        "entity": pa.repeat(frame.entity.name, count),
        "record_key": record_keys(frame),
    }
    for kind in KINDS[:-1]:
        column = columns.get(kind)
        if column is None:
            found[kind] = pa.nulls(count, pa.string())
        else:
            found[kind] = frame.table.column(column).combine_chunks().cast(pa.string())
    found["name"] = plain_names(found["name"])
    unread = frame.table.column(columns["mobile"]).combine_chunks().is_null()
    texts = frame.spelt.get(columns["mobile"], pa.nulls(count, pa.string()))
    is_hint = pc.match_substring(filled(texts), "****")
    found["hint"] = only(pc.and_(unread, is_hint).to_numpy(zero_copy_only=False), texts)
    return pa.table(found)


def plain_names(names: pa.Array) -> pa.Array:
    """Return names without blanks and titles, in one character for all that sound alike."""
    table = str.maketrans(_one_for_all())
    bare = pc.replace_substring_regex(pc.replace_substring_regex(names, r"[\s　]", ""), TITLES, "")
    encoded = bare.dictionary_encode()
    words = [word.translate(table) for word in encoded.dictionary.to_pylist()]
    return strings(words).take(encoded.indices)


def _one_for_all() -> dict[str, str]:
    """Return for every character that is confused with others the first of them."""
    groups: dict[str, set[str]] = {}
    for letters in (TRADITIONAL, HOMOPHONES):
        for one, other in letters.items():
            merged = groups.get(one, {one}) | groups.get(other, {other})
            for letter in merged:
                groups[letter] = merged
    return {letter: min(alike) for letter, alike in groups.items()}
