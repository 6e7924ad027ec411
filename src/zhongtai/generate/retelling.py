"""How clerks write persons down: other phones than their own, half a phone, a name by ear."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.dirt_values import record_keys
from zhongtai.generate.draws import MISSING, Array, draw_from, only, rows_of
from zhongtai.generate.frames import Frame
from zhongtai.generate.misspelling import respell
from zhongtai.generate.world import World


@dataclass(frozen=True)
class Form:
    """Which columns of an entity name a person; `at` is when the number was written down.

    `shows` are the kinds of others' numbers that occur on it; `blurred` is the share of rows
    with a name and without a usable phone.
    """

    mobile: str
    at: str
    name: str | None = None
    email: str | None = None
    shows: tuple[str, ...] = ("household",)
    blurred: float = 0.0


EVERY = ("household", "hub", "staff")
SELDOM = ("household", "staff")  # a shop has its number on visits of strangers
FORMS = {
    "crm.contacts": Form("手机号", "更新时间", "姓名", "邮箱"),
    "crm.leads": Form("手机号", "线索创建时间", "客户姓名", shows=EVERY, blurred=0.01),
    "crm.complaints": Form("手机号", "受理时间", "客户姓名"),
    "crm.surveys": Form("手机号", "发送时间"),
    "crm.owner_contacts": Form("手机号", "联系时间"),
    "crm.adf_leads": Form("phone", "requestdate", "name", "email", blurred=0.2),
    "dms.customers": Form("手机", "最后更新", "客户姓名", "邮箱", shows=EVERY),
    "dms.store_visits": Form("手机", "到店时间", "客户姓名", shows=SELDOM, blurred=0.06),
    "dms.test_drives": Form("手机", "开始时间", "客户姓名", shows=SELDOM, blurred=0.08),
    "dms.orders": Form("手机", "小订时间", "客户姓名"),
    "dms.addon_sales": Form("手机", "支付时间"),
    "partner.referrals": Form("mobile", "referred_at", "customer_name"),
}
TYPED, SECOND = 0.6, 0.35  # how often others' numbers, or one's own second, are written
ODD_NAMES = 0.03  # of the names, on records with a phone too
BIRTHDAY_TWINS = 0.5  # of the second contacts, known by name, birth date and address only


def retell(world: World, frame: Frame) -> Frame:
    """Return the frame as the forms show its persons; event lines stay as they are."""
    form = FORMS.get(frame.entity.full_name)
    if form is None or not len(frame):
        return frame
    name = frame.entity.full_name
    rng = draw_from(world.seed, f"retold {name}")
    keys = record_keys(frame).dictionary_encode()
    code = keys.indices.to_numpy()
    # One draw per record, so that all its versions are told alike.
    draws = rng.random((5, len(keys.dictionary)))[:, code]
    _write_others_numbers(world, frame, form, draws)
    _blur(world, frame, form, draws)
    return frame


def _write_others_numbers(world: World, frame: Frame, form: Form, draws: Array) -> None:
    people, cast = world.people, world.cast
    written = frame.table.column(form.mobile).combine_chunks()
    own = pc.equal(written, rows_of(people.mobile, frame.person))
    is_own = pc.fill_null(own, False).to_numpy(zero_copy_only=False)
    person = np.where(is_own, frame.person, -1)
    times = frame.table.column(form.at).combine_chunks().cast(pa.int64())
    at = pc.fill_null(times, MISSING).to_numpy()
    shown = np.isin(cast.typed_kind, form.shows)[person] & (person >= 0) & (draws[0] < TYPED)
    second = only(people.household < 0, people.backup_mobile)
    mobile = pc.coalesce(
        cast.numbers.at(person, at),
        rows_of(cast.typed_mobile, np.where(shown, person, -1)),
        rows_of(second, np.where(draws[1] < SECOND, person, -1)),
        written,
    )
    frame.replace_column(form.mobile, mobile)
    if form.email is not None:
        mails = frame.table.column(form.email).combine_chunks()
        typed = rows_of(cast.typed_email, frame.person)
        frame.replace_column(form.email, pc.coalesce(typed, mails))


def _blur(world: World, frame: Frame, form: Form, draws: Array) -> None:
    """Take the phone and write the name oddly on some records; twins of contacts lose all ids."""
    if form.name is None:
        return
    blurred = (draws[2] < form.blurred) & (frame.person >= 0)
    if frame.entity.full_name == "crm.contacts":
        twin = pc.is_in(frame.table.column("客户ID").combine_chunks(), world.people.crm[1])
        blurred = twin.to_numpy(zero_copy_only=False) & (draws[2] < BIRTHDAY_TWINS)
        for column in ("微信UnionID", "企微ExternalUserID", "邮箱", "备用手机号"):
            _drop(frame, column, blurred)
        birth = pa.array(world.people.birth[frame.person].astype(np.int32)).cast(pa.date32())
        known = frame.table.column("出生日期").combine_chunks()
        frame.replace_column("出生日期", pc.if_else(pa.array(blurred), birth, known))
    if "微信UnionID" in frame.entity.columns and frame.entity.name == "leads":
        _drop(frame, "微信UnionID", blurred)
        _drop(frame, "客户ID", blurred)
    if form.email is not None:
        _drop(frame, form.email, blurred)
    written = frame.table.column(form.mobile).combine_chunks()
    masked = pc.binary_join_element_wise(
        pc.utf8_slice_codeunits(written, 0, 3), "****", pc.utf8_slice_codeunits(written, 7, 11), ""
    )
    frame.spelt[form.mobile] = only(blurred & (draws[3] < 0.5), masked)
    _drop(frame, form.mobile, blurred)
    odd = blurred | ((draws[2] > 1 - ODD_NAMES) & (frame.person >= 0))
    gender = rows_of(world.people.gender, frame.person)
    names = frame.table.column(form.name).combine_chunks()
    frame.replace_column(form.name, respell(names, gender, np.where(odd, draws[4], -1.0)))


def _drop(frame: Frame, column: str, gone: Array) -> None:
    frame.replace_column(column, only(~gone, frame.table.column(column).combine_chunks()))
