"""Events of the two mini-programs: an openid per app, a unionid once bound, a mobile by consent."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.app import (
    NEVER,
    PROJECT,
    booked_leads,
    booking_properties,
    inquiry_properties,
)
from zhongtai.generate.drafts import (
    Drafts,
    Sessions,
    cut,
    draft,
    draw_sessions,
    merge,
    session_views,
    steps_of,
)
from zhongtai.generate.draws import (
    Array,
    Generator,
    chosen,
    digits,
    draw_from,
    filled,
    joined,
    only,
    padded,
    pick,
    rows_of,
)
from zhongtai.generate.frames import Frame, build_frame
from zhongtai.generate.names import APP_IDS, SERIES
from zhongtai.generate.world import World

VIEWS = (
    "$MPViewScreen", "$MPViewScreen", "ViewSeries", "ViewSeries", "ViewContent", "ViewConfig",
    "ClickFinance", "ShareContent", "JoinActivity", "LikeContent",
)  # fmt: skip


def miniprogram_events(world: World) -> Frame:
    """Return the events of both mini-programs, by time."""
    rng = draw_from(world.seed, "miniprogram")
    drafts = cut(merge(_drafts(rng, world)), world.timeline)
    return _frame(rng, world, drafts)


def referral_inquiry(rows: Array) -> pa.Array:
    """Return the inquiry ids of referrals; -1 gives null."""
    return only(rows >= 0, joined("INQR", padded(np.maximum(rows, 0) + 1, 8)))


def _drafts(rng: Generator, world: World) -> list[Drafts]:
    people, inquiries, leads = world.people, world.inquiries, world.leads
    users = np.flatnonzero(people.uses_miniprogram)
    sessions = draw_sessions(rng, world.timeline, users, 0.05, 4)
    session, at = steps_of(rng, sessions)
    person = sessions.person[session]
    parts = session_views(
        rng, person, at, ~people.is_hot[person] & (rng.random(len(at)) < 0.2), VIEWS
    )
    parts += _frames_of_sessions(rng, sessions, people.openids[0])
    rows = np.flatnonzero(inquiries.surface == 1)
    asked = inquiry_properties(world, rows)
    parts.append(draft(inquiries.person[rows], inquiries.at[rows] * 1000, "SubmitInquiry", asked))
    rows = booked_leads(world, 1)
    booked = leads.visited[rows] * 1000 - 3_000_000
    parts.append(
        draft(leads.person[rows], booked, "BookTestDrive", booking_properties(world, rows))
    )
    return parts + _referral_drafts(rng, world)


def _frames_of_sessions(rng: Generator, sessions: Sessions, openids: pa.Array) -> list[Drafts]:
    scene = pick(["1001", "1007", "1011", "1047"], rng.integers(0, 4, len(sessions)))
    query = joined('"$scene":"', scene, '","$url_query":"from=')
    query = joined(query, pick(["card", "menu", "qr"], rng.integers(0, 3, len(sessions))), '"')
    # A forwarded card names the sender, who is not the person that opens it.
    sender = rows_of(openids, rng.permutation(sessions.person))
    shared = filled(
        only(rng.random(len(sessions)) < 0.1, joined(',"$share_distinct_id":"', sender, '"'))
    )
    seconds = joined('"event_duration":', digits(sessions.length // 1000))
    rows = np.flatnonzero(rng.random(len(sessions)) < 0.05)
    return [
        draft(sessions.person, sessions.start, "$MPLaunch", joined(query, shared)),
        draft(sessions.person, sessions.start + 100, "$MPShow", query),
        draft(sessions.person, sessions.start + sessions.length, "$MPHide", seconds),
        draft(sessions.person[rows], sessions.start[rows] + 2_000, "$MPShare"),
    ]


def _referral_drafts(rng: Generator, world: World) -> list[Drafts]:
    referrals, people = world.referrals, world.people
    rows = np.flatnonzero(people.uses_miniprogram[referrals.person])
    person, at = referrals.person[rows], referrals.at[rows] * 1000
    code = joined('"member_code":"', world.member_code(referrals.member[rows]), '"')
    mobile = rows_of(people.mobile, person)
    series = pick(SERIES, referrals.series[rows])
    parts = (code, ',"mobile":"', mobile, '","series_code":"', series, '","inquiry_id":"')
    submitted = joined(*parts, referral_inquiry(rows), '"')
    lookers = np.flatnonzero(people.uses_miniprogram & (rng.random(len(people)) < 0.06))
    members = rng.integers(0, len(world.members.person), len(lookers))
    looked = world.timeline.begin * 1000 + rng.integers(
        0, world.timeline.days * 86_400_000, len(lookers)
    )
    other = joined('"member_code":"', world.member_code(members), '"')
    return [
        draft(person, at - 90_000, "ReferralOpen", code),
        draft(person, at, "ReferralSubmit", submitted),
        draft(lookers, looked, "ReferralOpen", other),
    ]


def _frame(rng: Generator, world: World, drafts: Drafts) -> Frame:
    people, person, at = world.people, drafts.person, drafts.at
    begin, span = world.timeline.begin * 1000, world.timeline.days * 86_400_000
    event = np.asarray(drafts.event.to_numpy(zero_copy_only=False), dtype=object)
    asks = np.isin(event, ["SubmitInquiry", "BookTestDrive", "ReferralSubmit"])
    bound = np.where(
        rng.random(len(people)) < 0.5, 0, begin + (rng.random(len(people)) * span * 2).astype(int)
    )
    consent = np.where(rng.random(len(people)) < 0.3, 0, NEVER)
    np.minimum.at(consent, person[asks], at[asks] - 20_000)
    second = people.openids[1].is_valid().to_numpy(zero_copy_only=False)[person]
    uses_second = second & (person % 2 + rng.random(len(person)) > 1.2)
    first_id, second_id = (rows_of(values, person) for values in people.openids)
    openid = chosen(uses_second, second_id, first_id)
    unionid = only(at >= bound[person], rows_of(people.unionid, person))
    bound = pc.coalesce(world.cast.numbers.bound(person, at), rows_of(people.mobile, person))
    mobile = only(at >= consent[person], bound)
    is_new = ~(people.old_sdk[person] & (at < begin + span // 3))
    app_id = chosen(uses_second, APP_IDS[1], APP_IDS[0])
    parts = ['{"$identity_mp_', app_id, '_openid":"', openid, '"']
    parts.append(filled(joined(',"$identity_mp_unionid":"', unionid, '"')))
    parts.append(filled(joined(',"$identity_mobile":"', mobile, '"')))
    track = digits(rng.integers(10_000, 100_000, len(at)) * 10_000 + at % 10_000)
    columns = {
        "type": pa.repeat("track", len(at)), "event": drafts.event, "distinct_id": openid,
        "time": at, "_track_id": track, "_flush_time": at + rng.integers(500, 15_000, len(at)),
        "anonymous_id": only(is_new, openid), "project": PROJECT,
        "identities": only(is_new, joined(*parts, "}")), "properties": drafts.properties,
    }  # fmt: skip
    batch = world.timeline.batch_of(at // 1000, 1)
    frame = build_frame("miniprogram.events", columns, person=person, batch=batch)
    asked = only(asks, rows_of(people.mobile, person))
    frame.evidence = {
        ("openid", APP_IDS[0]): only(~uses_second, openid),
        ("openid", APP_IDS[1]): only(uses_second, openid),
        ("unionid", ""): only(is_new, unionid),
        ("mobile", ""): pc.coalesce(only(is_new, mobile), asked),
    }
    return frame
