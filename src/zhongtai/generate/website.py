"""Visits, pages and custom events of the website, as GrowingIO exports them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from zhongtai.generate.app import booked_leads
from zhongtai.generate.drafts import Sessions, draw_sessions, steps_of
from zhongtai.generate.draws import (
    LOWER_HEX,
    Array,
    Generator,
    chosen,
    codes,
    digits,
    draw_from,
    joined,
    only,
    pick,
    pick_any,
    rows_of,
)
from zhongtai.generate.frames import Frame, build_frame
from zhongtai.generate.names import SERIES
from zhongtai.generate.world import World

DOMAIN = "www.zhongtai-auto.example"
QUERIES = ("utm_source=baidu&utm_campaign=春季", "", 'from="qr"')
REFERRERS = ("https://www.baidu.com/s?wd=中泰,汽车", "", "https://m.sohu.com/")
AGENTS = ('Mozilla/5.0 (iPhone; "WebKit\\605", like Gecko)', "Mozilla/5.0")


@dataclass(frozen=True)
class Web:
    """The sessions of the website with the ids that its three exports share."""

    sessions: Sessions
    visitor: pa.Array
    session_id: pa.Array
    visit_id: pa.Array
    login: pa.Array


@dataclass(frozen=True)
class WebEvents:
    """Custom events: `session` is their session, times in UTC ms."""

    session: Array
    at: Array
    name: pa.Array
    variables: pa.Array
    mobile: pa.Array


def website_frames(world: World) -> list[Frame]:
    """Return the visits, pages and custom events of the website."""
    rng = draw_from(world.seed, "website")
    users = np.flatnonzero(world.people.uses_website)
    sessions = _with_askers(rng, world, draw_sessions(rng, world.timeline, users, 0.03, 4))
    web = _identify(rng, world, sessions)
    return [_visits(rng, world, web), _pages(rng, world, web), _events(rng, world, web)]


def _asks(world: World) -> tuple[Array, Array]:
    inquired = np.flatnonzero(world.inquiries.surface == 2)
    return inquired, booked_leads(world, 2)


def _with_askers(rng: Generator, world: World, sessions: Sessions) -> Sessions:
    """Return the sessions plus one for each inquiry and booking, which come first."""
    inquired, booked = _asks(world)
    person = np.r_[world.inquiries.person[inquired], world.leads.person[booked]]
    at = np.r_[world.inquiries.at[inquired], world.leads.visited[booked] - 3_000] * 1000
    length = np.full(len(person), 240_000)
    return Sessions(
        person=np.r_[person, sessions.person],
        start=np.r_[at - 120_000, sessions.start],
        steps=np.r_[rng.integers(1, 4, len(person)), sessions.steps],
        length=np.r_[length, sessions.length],
    )


def _identify(rng: Generator, world: World, sessions: Sessions) -> Web:
    people, person = world.people, sessions.person
    second = people.visitors[1].is_valid().to_numpy(zero_copy_only=False)[person]
    public = pc.is_in(people.visitors[1], world.cast.hubs.browser).to_numpy(False)[person]
    uses_second = second & (rng.random(len(person)) < np.where(public, 0.8, 0.4))
    first_id, second_id = (rows_of(values, person) for values in people.visitors)
    # Who comes to the showroom logs in, to show the adviser what was configured at home.
    logged = (rng.random(len(person)) < 0.35) | (public & uses_second)
    return Web(
        sessions=sessions,
        visitor=chosen(uses_second, second_id, first_id),
        session_id=codes(rng, len(person), 24, LOWER_HEX),
        visit_id=codes(rng, len(person), 20, LOWER_HEX),
        login=only(logged, rows_of(people.login, person)),
    )


def _visits(rng: Generator, world: World, web: Web) -> Frame:
    start = web.sessions.start
    count = len(start)
    columns = {
        "visitUserId": web.visitor, "sessionId": web.session_id, "platform": "web",
        "domain": DOMAIN, "page": "/", "language": "zh-cn",
        "queryParameters": pick_any(rng, QUERIES, count),
        "referrer": pick_any(rng, REFERRERS, count),
        "time": start, "sendTime": start + rng.integers(100, 5_000, count),
        "ip": joined("10.8.", digits(rng.integers(0, 255, count)), ".9"),
        "userAgent": pick_any(rng, AGENTS, count),
        "operatingSystem": pick_any(rng, ("iOS", "Android", "Windows"), count),
        "channel": pick_any(rng, ("baidu", "direct", "toutiao"), count),
        "deviceType": pick_any(rng, ("0", "1"), count), "vstRequestId": web.visit_id,
    }  # fmt: skip
    return _frame(world, "website.visits", columns, web, np.arange(count))


def _pages(rng: Generator, world: World, web: Web) -> Frame:
    session, at = steps_of(rng, web.sessions)
    count = len(session)
    series = pick(SERIES, rng.integers(0, len(SERIES), count))
    columns = {
        "visitUserId": rows_of(web.visitor, session), "sessionId": rows_of(web.session_id, session),
        "domain": DOMAIN, "page": joined("/series/", series), "queryParameters": "",
        "referrer": f"https://{DOMAIN}/", "title": joined(series, "_参数,\"图片\"_中泰"),
        "time": at, "sendTime": at + rng.integers(100, 5_000, count),
        "loginUserId": rows_of(web.login, session), "pageGroup": "车系页",
        "appVariable": joined('{"series_code":"', series, '"}'),
        "pageRequestId": codes(rng, count, 20, LOWER_HEX),
        "vstRequestId": rows_of(web.visit_id, session),
    }  # fmt: skip
    return _frame(world, "website.pages", columns, web, session)


def _events(rng: Generator, world: World, web: Web) -> Frame:
    drawn = _web_events(rng, world, web)
    session = drawn.session
    count = len(session)
    columns = {
        "visitUserId": rows_of(web.visitor, session), "sessionId": rows_of(web.session_id, session),
        "time": drawn.at, "sendTime": drawn.at + rng.integers(100, 5_000, count),
        "domain": DOMAIN, "page": "/series", "eventName": drawn.name,
        "eventNumber": digits(rng.integers(1, 9, count)), "eventVariable": drawn.variables,
        "loginUserId": rows_of(web.login, session),
        "pageRequestId": codes(rng, count, 20, LOWER_HEX),
    }  # fmt: skip
    frame = _frame(world, "website.custom_events", columns, web, session)
    kept = np.flatnonzero(_batches(world, drawn.at) >= 0)
    frame.evidence["mobile", ""] = rows_of(drawn.mobile, kept)
    return frame


def _web_events(rng: Generator, world: World, web: Web) -> WebEvents:
    sessions = web.sessions
    inquired, booked = _asks(world)
    asking = len(inquired) + len(booked)
    session, at = steps_of(rng, sessions)
    count = len(session)
    is_hot = world.people.is_hot[sessions.person[session]]
    kind = np.where(is_hot, rng.integers(0, 2, count), rng.integers(0, 12, count) % 5 % 3)
    series = pick(SERIES, rng.integers(0, len(SERIES), count))
    viewed = joined('{"series_code":"', series, '"}')
    ids = world.inquiry_id(inquired)
    mobile = rows_of(world.people.mobile, sessions.person[:asking])
    wanted = pick(SERIES, np.r_[world.inquiries.series[inquired], world.leads.series[booked]])
    dealer = world.dealer_code(world.leads.dealer[booked])
    first = joined('{"series_code":"', wanted, '","mobile":"', mobile, '","')
    rest = pa.concat_arrays(
        [joined('inquiry_id":"', ids, '"}'), joined('dealer_code":"', dealer, '"}')]
    )
    names = pick(
        ["submit_inquiry", "book_test_drive"], np.repeat([0, 1], [len(inquired), len(booked)])
    )
    views = pick(["view_series", "view_config", "click_finance"], kind)
    return WebEvents(
        session=np.r_[session, np.arange(asking)],
        at=np.r_[at, sessions.start[:asking] + 120_000],
        name=pa.concat_arrays([views, names]),
        variables=pa.concat_arrays([viewed, joined(first, rest)]),
        mobile=pa.concat_arrays([pa.nulls(count, pa.string()), mobile]),
    )


def _frame(world: World, name: str, columns: dict[str, Any], web: Web, session: Array) -> Frame:
    batch = _batches(world, columns["time"])
    frame = build_frame(name, columns, person=web.sessions.person[session], batch=batch)
    kept = session[batch >= 0]
    frame.evidence = {("visitor_id", ""): rows_of(web.visitor, kept)}
    if "loginUserId" in columns:
        frame.evidence["login_id", ""] = rows_of(web.login, kept)
    return frame


def _batches(world: World, at: Array) -> Array:
    """Return the export of each time (UTC ms), -1 outside the days."""
    batch = world.timeline.batch_of(at // 1000, 1)
    return np.where(at < world.timeline.begin * 1000, -1, batch)
