"""The items of the assessment: what counts for whom, and in which month."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction

from reference.exports import Row, in_window, local_date
from reference.workforce import Workforce, gains, month_of, published_posts, valid_responses
from reference.working_time import CHINA

Entry = tuple[date, str, str, Fraction, Fraction | None]  # month, staff, item, num, den
ONE = Fraction(1)


@dataclass
class Team(Workforce):
    """Facts about staff; the names are those of the columns of the facts (int_ models)."""

    handovers: list[Row] = field(default_factory=list)  # int_deliveries
    own_leads: list[Row] = field(default_factory=list)  # int_leads
    answers: list[Row] = field(default_factory=list)  # int_lead_responses
    car_sales: list[Row] = field(default_factory=list)  # int_car_sales
    referral_orders: list[Row] = field(default_factory=list)  # int_referral_orders
    events: list[Row] = field(default_factory=list)  # int_events


def months_after(moment: datetime, months: int) -> datetime:
    """The same local time so many months later, on the last day where the month is shorter."""
    local = moment + CHINA
    year, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    for day in range(local.day, 0, -1):
        try:
            return local.replace(year=year, month=month + 1, day=day) - CHINA
        except ValueError:
            continue
    raise AssertionError(moment)


def entries(team: Team) -> dict[tuple[date, str], dict[str, tuple[Fraction, Fraction | None]]]:
    """Numerator and denominator (None for counts) by month, staff and item."""
    found: dict[tuple[date, str], dict[str, tuple[Fraction, Fraction | None]]] = defaultdict(dict)
    for source in (_performance, _answers_of_customers, _owners, _answers, _posts, _growth):
        for month, staff, item, num, den in source(team):
            so_far, of = found[month, staff].get(item, (Fraction(0), None))
            found[month, staff][item] = (so_far + num, den if of is None else of + (den or 0))
    return found


def _performance(team: Team) -> Iterator[Entry]:
    for car in team.handovers:
        if car["staff_id"] and car["delivered_at"]:
            month = month_of(car["delivered_at"])
            yield month, car["staff_id"], "deals", ONE, None
            yield month, car["staff_id"], "revenue_fen", Fraction(car["price_fen"] or 0), None
    for lead in team.own_leads:
        created = lead["created_at"]
        if not lead["is_valid"] or not lead["staff_id"]:
            continue
        if created + timedelta(days=30) > team.as_of:
            continue
        ordered = in_window(lead["large_ordered_at"], created, 30)
        known = in_window(lead["large_matched_at"], created, 30)
        kept = in_window(lead["large_kept_at"], created, 30)
        kept_order = Fraction(ordered and (kept or not known))
        yield month_of(created), lead["staff_id"], "conversion", kept_order, ONE


def _answers_of_customers(team: Team) -> Iterator[Entry]:
    for row in valid_responses(team):
        if row["staff_id"]:
            score = row["recommend_score"]
            net = Fraction((score >= 9) - (score <= 6))
            yield month_of(row["submitted_at"]), row["staff_id"], "nps", net, ONE


def _owners(team: Team) -> Iterator[Entry]:
    cars: dict[str, list[Row]] = defaultdict(list)
    for car in team.car_sales:
        known = car["one_id"] or car["organisation_id"]
        if car["reversed_at"] is None and car["delivered_at"] and known:
            cars[car["buyer_key"]].append(car)
    for bought in cars.values():
        bought.sort(key=lambda car: (car["delivered_at"], car["order_no"]))
        first = bought[0]
        if first["staff_id"]:
            yield from _owner(team, first, bought[1]["delivered_at"] if bought[1:] else None)


def _owner(team: Team, first: Row, again: datetime | None) -> Iterator[Entry]:
    staff, since, person = first["staff_id"], first["delivered_at"], first["one_id"]
    three_years, one_year = months_after(since, 36), months_after(since, 12)
    if three_years <= team.as_of:
        bought = Fraction(again is not None and again < three_years)
        yield month_of(three_years), staff, "repurchase_rate_36m", bought, ONE
    if not person:
        return
    if one_year <= team.as_of:
        referred = any(
            order["is_valid"]
            and order["member_one_id"] == person
            and since <= order["qualified_at"] < one_year
            for order in team.referral_orders
        )
        yield month_of(one_year), staff, "referral_rate_12m", Fraction(referred), ONE
    active = {
        month_of(event["occurred_at"])
        for event in team.events
        if event["one_id"] == person and event["event"] in ("community_post", "join_activity")
    }
    month = month_of(since)
    while month <= local_date(team.as_of):
        yield month, staff, "community_activity", Fraction(month in active), ONE
        month = (month + timedelta(days=31)).replace(day=1)


def _answers(team: Team) -> Iterator[Entry]:
    for lead in team.answers:
        if lead["staff_id"] and lead["elapsed_seconds"] >= 240 * 60:
            took = lead["response_seconds"]
            timely = Fraction(took is not None and took <= 240 * 60)
            month = month_of(lead["dispatched_at"])
            yield month, lead["staff_id"], "first_response_timely_rate", timely, ONE


def _posts(team: Team) -> Iterator[Entry]:
    for day, post in published_posts(team).values():
        if post["staff_id"]:
            yield day.replace(day=1), post["staff_id"], "content_posts", ONE, None
    for row, gained in gains(team):
        if row["staff_id"]:
            reactions = sum(gained[n] for n in ("likes", "saves", "comments", "shares"))
            month, views = row["stat_on"].replace(day=1), Fraction(gained["views"])
            yield month, row["staff_id"], "content_quality", Fraction(reactions), views


def _growth(team: Team) -> Iterator[Entry]:
    for row in team.training_records:
        due, done = row["due_at"], row["completed_at"]
        if row["staff_id"] and due is not None and due <= team.as_of:
            in_time = Fraction(done is not None and done <= due)
            yield month_of(due), row["staff_id"], "training_completion", in_time, ONE
    for row in team.peer_reviews:
        if row["staff_id"] and row["score"] is not None and 0 <= row["score"] <= 100:
            year, _, month = (row["period"] or "").partition("-")
            told = date(int(year), int(month), 1) if month else month_of(row["reviewed_at"])
            yield told, row["staff_id"], "peer_score", Fraction(row["score"]), ONE
