"""Events of the app, as its Sensors SDKs send them: old ones without identities, and new ones."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.drafts import (
    Drafts,
    cut,
    details,
    draft,
    draw_sessions,
    merge,
    quoted,
    session_views,
    steps_of,
)
from zhongtai.generate.draws import (
    MISSING,
    Array,
    Generator,
    chosen,
    digits,
    draw_from,
    filled,
    joined,
    only,
    pick,
    rows_of,
)
from zhongtai.generate.frames import Frame, build_frame
from zhongtai.generate.names import SERIES
from zhongtai.generate.people import People
from zhongtai.generate.world import World

VIEWS = (
    "ViewSeries", "ViewSeries", "ViewSeries", "ViewContent", "ViewContent", "ViewConfig",
    "CompareSeries", "ClickFinance", "LikeContent", "ShareContent", "CommunityPost",
    "JoinActivity", "Inbox", "Subscribe",
)  # fmt: skip
NEVER = 1 << 60
PROJECT = "production"


@dataclass(frozen=True)
class Logins:
    """When each person logged in and bound the mobile, in UTC ms; `NEVER` if not."""

    login_at: Array
    bind_at: Array
    takes_back: Array  # unbinds the mobile again at once
    email_bound: Array
    upgraded_at: Array  # until then the SDK sends no identities


def app_events(world: World) -> Frame:
    """Return the app's events, by time, with the identifiers that each line shows."""
    rng = draw_from(world.seed, "app")
    drafts = cut(merge(_app_drafts(rng, world)), world.timeline)
    logins = _draw_logins(rng, world, drafts)
    lines = _with_account_lines(rng, world, drafts, logins)
    return _frame(rng, world, lines, logins)


def inquiry_properties(world: World, rows: Array) -> pa.Array:
    """Return the properties of inquiries, whose mobile is the person's."""
    series = pick(SERIES, world.inquiries.series[rows])
    mobile = rows_of(world.people.mobile, world.inquiries.person[rows])
    parts = ('"inquiry_id":"', world.inquiry_id(rows), '","series_code":"', series, '","mobile":"')
    return joined(*parts, mobile, '"')


def booking_properties(world: World, rows: Array) -> pa.Array:
    """Return the properties of test drive bookings of leads."""
    leads = world.leads
    mobile = rows_of(world.people.mobile, leads.person[rows])
    series, dealer = pick(SERIES, leads.series[rows]), world.dealer_code(leads.dealer[rows])
    parts = ('"series_code":"', series, '","dealer_code":"', dealer, '","mobile":"', mobile, '"')
    return joined(*parts)


def booked_leads(world: World, surface: int) -> Array:
    """Return the leads with a test drive that was booked on a surface."""
    leads = world.leads
    came_by = np.where(leads.inquiry >= 0, world.inquiries.surface[leads.inquiry], -1)
    return np.flatnonzero((leads.driven != MISSING) & (came_by == surface) & (leads.trim > 0))


def _app_drafts(rng: Generator, world: World) -> list[Drafts]:
    people, inquiries = world.people, world.inquiries
    users = np.flatnonzero(people.uses_app)
    sessions = draw_sessions(rng, world.timeline, users, 0.09, 5)
    session, at = steps_of(rng, sessions)
    person = sessions.person[session]
    parts = session_views(
        rng, person, at, ~people.is_hot[person] & (rng.random(len(at)) < 0.3), VIEWS
    )
    parts.append(draft(sessions.person, sessions.start, "$AppStart"))
    seconds = joined('"event_duration":', digits(sessions.length // 1000))
    parts.append(draft(sessions.person, sessions.start + sessions.length, "$AppEnd", seconds))
    parts += _hot_drafts(rng, world)
    rows = np.flatnonzero(inquiries.surface == 0)
    asked = inquiry_properties(world, rows)
    parts.append(draft(inquiries.person[rows], inquiries.at[rows] * 1000, "SubmitInquiry", asked))
    rows = booked_leads(world, 0)
    booked = world.leads.visited[rows] * 1000 - 3_000_000
    properties = booking_properties(world, rows)
    parts.append(draft(world.leads.person[rows], booked, "BookTestDrive", properties))
    return parts + _vehicle_drafts(world)


def _hot_drafts(rng: Generator, world: World) -> list[Drafts]:
    hot = world.hot
    row = np.repeat(np.arange(len(hot.person)), rng.integers(11, 19, len(hot.person)))
    at = hot.clicked[row] * 1000 - rng.integers(60_000, 2 * 86_400_000, len(row))
    views = draft(hot.person[row], at, "ViewSeries", details(rng, "ViewSeries", hot.series[row]))
    plan = details(rng, "ClickFinance", hot.series)
    return [views, draft(hot.person, hot.clicked * 1000, "ClickFinance", plan)]


def _vehicle_drafts(world: World) -> list[Drafts]:
    owned = world.ownership
    of_app = (owned.person >= 0) & np.where(
        owned.person >= 0, world.people.uses_app[owned.person], False
    )
    bound, unbound = np.flatnonzero(of_app), np.flatnonzero(of_app & (owned.until != MISSING))
    parts = []
    for rows, times, event in (
        (bound, owned.since + 7_200, "BindVehicle"),
        (unbound, owned.until - 600, "UnbindVehicle"),
    ):
        vin = joined('"vin":"', rows_of(world.vin, owned.vehicle[rows]), '"')
        parts.append(draft(owned.person[rows], times[rows] * 1000, event, vin))
    return parts


def _draw_logins(rng: Generator, world: World, drafts: Drafts) -> Logins:
    people, timeline = world.people, world.timeline
    count = len(people)
    begin, span = timeline.begin * 1000, timeline.days * 86_400_000
    share = rng.random(count)
    login_at = np.where(share < 0.6, begin - 60_000, begin + (rng.random(count) * span).astype(int))
    login_at = np.where(share > 0.85, NEVER, login_at)
    needs = np.isin(
        np.asarray(drafts.event.to_numpy(zero_copy_only=False), dtype=object),
        ["SubmitInquiry", "BookTestDrive", "BindVehicle", "Subscribe"],
    )
    np.minimum.at(login_at, drafts.person[needs], drafts.at[needs] - 30_000)
    login_at = np.maximum(login_at, begin - 60_000)
    binds = (login_at < NEVER) & (rng.random(count) < 0.75)
    upgraded = np.where(people.old_sdk, begin + span // 2, 0)
    upgraded = np.where(people.old_sdk & (rng.random(count) < 0.4), NEVER, upgraded)
    bind_at = np.where(binds, login_at + 45_000, NEVER)
    asked = np.zeros(count, dtype=bool)
    asked[drafts.person[needs]] = True
    takes_back = binds & ~asked & (upgraded <= bind_at) & (bind_at >= begin)
    takes_back &= np.arange(count) % 16 == 5
    return Logins(login_at, bind_at, takes_back, rng.random(count) < 0.15, upgraded)


def _with_account_lines(
    rng: Generator, world: World, drafts: Drafts, logins: Logins
) -> tuple[Drafts, pa.Array]:
    begin, end = world.timeline.begin * 1000, world.timeline.end * 1000
    app = world.people.uses_app
    within = (logins.login_at >= begin) & (logins.login_at < end - 60_000) & app
    signs = np.flatnonzero(within)
    binds = np.flatnonzero(
        within & (logins.bind_at < NEVER) & (logins.upgraded_at <= logins.bind_at)
    )
    unbinds = binds[logins.takes_back[binds]]
    known = np.flatnonzero((logins.login_at < end - 3_600_000) & app & (rng.random(len(app)) < 0.3))
    city = joined('"city":"', pick(["上海市", "杭州市", "成都市"], known % 3), '"')
    at = np.maximum(logins.login_at[known], begin) + 60_000
    some = np.arange(len(known)) % 40
    parts = [
        (drafts, "track"),
        (draft(signs, logins.login_at[signs], "$SignUp"), "track_signup"),
        (draft(binds, logins.bind_at[binds], "$BindID"), "track_id_bind"),
        (draft(unbinds, logins.bind_at[unbinds] + 9_000, "$UnbindID"), "track_id_unbind"),
        (draft(known, at, "", city), "profile_set"),
        (draft(known[some < 8], at[some < 8], "", '"first_source":"app"'), "profile_set_once"),
        (draft(known[some == 9], at[some == 9] + 5_000, "", '"city":true'), "profile_unset"),
        (draft(known[some == 11], at[some == 11] + 9_000, ""), "profile_delete"),
    ]
    kinds = pa.concat_arrays([pa.repeat(kind, len(part)) for part, kind in parts])
    stamps = np.concatenate([part.at for part, _ in parts])
    return merge([part for part, _ in parts]), kinds.take(
        pa.array(np.argsort(stamps, kind="stable"))
    )


def _frame(rng: Generator, world: World, lines: tuple[Drafts, pa.Array], logins: Logins) -> Frame:
    drafts, kinds = lines
    people, person, at = world.people, drafts.person, drafts.at
    kind = np.asarray(kinds.to_numpy(zero_copy_only=False), dtype=object)
    second = people.devices[1].is_valid().to_numpy(zero_copy_only=False)[person]
    uses_second = second & (rng.random(len(person)) < 0.3) & (kind != "track_signup")
    first_device, second_device = (rows_of(values, person) for values in people.devices)
    device = chosen(uses_second, second_device, first_device)
    is_new = at >= logins.upgraded_at[person]
    is_in = at >= logins.login_at[person]
    login = only(is_in, _logins_of(rng, people, person))
    has_mobile = is_in & is_new & (at >= logins.bind_at[person])
    taken_back = logins.takes_back[person]
    has_mobile &= ~taken_back | np.isin(kind, ("track_id_bind", "track_id_unbind"))
    bound = pc.coalesce(world.cast.numbers.bound(person, at), rows_of(people.mobile, person))
    mobile = only(has_mobile, bound)
    email = only(is_in & is_new & logins.email_bound[person], rows_of(people.email, person))
    is_signup, is_profile = kind == "track_signup", np.char.startswith(kind.astype(str), "profile")
    shown = only(is_new, device)
    distinct = chosen(is_in, login, device)
    track = _track_ids(rng, at)
    asks = np.isin(
        np.asarray(drafts.event.to_numpy(zero_copy_only=False), dtype=object),
        ["SubmitInquiry", "BookTestDrive"],
    )
    columns = {
        "type": kinds, "event": only(~is_profile, drafts.event), "distinct_id": distinct,
        "time": at, "_track_id": only(~is_profile, track), "_flush_time": _flush_times(rng, at),
        "original_id": only(is_signup, device), "anonymous_id": shown,
        "login_id": only(is_new, login), "project": PROJECT,
        "identities": only(is_new, _identities(device, login, mobile, email)),
        "properties": drafts.properties,
    }  # fmt: skip
    batch = world.timeline.batch_of(at // 1000, 1)
    frame = build_frame("app.events", columns, person=person, batch=batch)
    anonymous = chosen(is_in & ~is_new & ~is_signup, pa.scalar(None, pa.string()), device)
    asked = only(asks, rows_of(people.mobile, person))
    frame.evidence = {
        ("anonymous_id", ""): anonymous,
        ("login_id", ""): login,
        ("mobile", ""): pc.coalesce(only(~taken_back, mobile), asked),
        ("email", ""): email,
    }
    return frame


def _logins_of(rng: Generator, people: People, person: Array) -> pa.Array:
    """Return the account of each line: now and then the second one."""
    second = only(rng.random(len(person)) < 0.3, rows_of(people.second_login, person))
    return pc.coalesce(second, rows_of(people.login, person))


def _identities(device: pa.Array, login: pa.Array, mobile: pa.Array, email: pa.Array) -> pa.Array:
    parts = ['{"$identity_anonymous_id":', quoted(device)]
    for name, values in (("login_id", login), ("mobile", mobile), ("email", email)):
        parts.append(filled(joined(f',"$identity_{name}":"', values, '"')))
    return joined(*parts, "}")


def _track_ids(rng: Generator, at: Array) -> pa.Array:
    return digits(rng.integers(10_000, 100_000, len(at)) * 10_000 + at % 10_000)


def _flush_times(rng: Generator, at: Array) -> Array:
    return np.asarray(at + rng.integers(500, 15_000, len(at)))
