"""The referral programme, member by member, as section 6 words it."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from reference.exports import in_window
from reference.money import (
    MoneyExports,
    Row,
    counted_referral,
    first_of_month,
    in_time,
    is_cancelled,
)

Group = tuple[str, str]
Visit = tuple[date, str, str, bool]


def valid_orders(exports: MoneyExports) -> list[tuple[Row, Row]]:
    """Orders and their referrals: neither cancelled nor reversed, in time, kept."""
    found = []
    for order in exports.orders:
        referral = counted_referral(exports, order)
        if (
            referral is not None
            and referral["status"] == "有效"
            and order["red_invoiced_at"] is None
            and not is_cancelled(exports, order)
            and in_time(referral, order)
        ):
            found.append((order, referral))
    return found


def ordered_at(order: Row) -> datetime:
    steps = [order[f"{step}_at"] for step in ("small_ordered", "large_ordered", "locked")]
    return min(step for step in steps if step is not None)


def valid_leads(exports: MoneyExports) -> list[Row]:
    return [
        lead
        for lead in exports.leads
        if lead["member_code"] is not None
        and not lead["is_test"]
        and lead["status"] not in {"无效", "重复"}
    ]


def group(exports: MoneyExports, code: str) -> Group:
    member = exports.member(code)
    if member is None:
        return "", ""
    return member["member_kind"] or "", member["department"] or ""


def visits(exports: MoneyExports) -> list[Visit]:
    """Month, member, visitor, and whether this event leaves a phone."""
    found = []
    for event in exports.mini_events:
        who = exports.one_id.get(("miniprogram", "events", event["subject_key"]))
        leaves = event["event"] == "ReferralSubmit" and bool(event["said"].get("mobile"))
        month = first_of_month(event["occurred_at"])
        visitor = who or event["subject_key"]
        found.append((month, event["said"]["member_code"], visitor, leaves))
    return found


def reward_entries(exports: MoneyExports) -> Iterator[tuple[str, str, datetime, int, int]]:
    """Reward, kind of entry, when, due and paid."""
    for reward in exports.rewards:
        key, fen, status = reward["reward_id"], reward["amount_fen"], reward["status"]
        decided = reward["decided_at"] or reward["updated_at"]
        begin, end = due_period(exports, reward)
        if status == "1":
            yield key, "paid", decided, 0, fen
        if begin is None:
            yield key, "not_due", decided, 0, 0
            continue
        yield key, "due", begin, fen, 0
        refused = max(decided, begin) if status == "2" else None
        if refused is not None and (end is None or refused <= end):
            yield key, "refused", refused, -fen, 0
        elif end is not None:
            yield key, "clawback" if status == "1" else "withdrawn", end, -fen, 0


def due_period(exports: MoneyExports, reward: Row) -> tuple[datetime | None, datetime | None]:
    """From when to when the order behind a reward was a valid one."""
    named = [r for r in exports.referrals if r["referral_id"] == reward["referral_id"]]
    order = exports.order(named[0]["order_no"]) if named else None
    if order is None or counted_referral(exports, order) != named[0]:
        return None, None
    if not in_time(named[0], order):
        return None, None
    begin = max(
        ordered_at(order),
        order["large_ordered_at"] or order["locked_at"] or order["blue_invoiced_at"],
    )
    ends = [order["red_invoiced_at"]]
    if ends[0] is None and is_cancelled(exports, order):
        ends.append(order["cancelled_at"] or order["updated_at"])
    if named[0]["status"] != "有效":
        ends.append(named[0]["updated_at"])
    end = min((e for e in ends if e is not None), default=None)
    return (begin, end) if end is None or end > begin else (None, None)


def reward_member(exports: MoneyExports, reward_id: str) -> str:
    return str(next(r["member_code"] for r in exports.rewards if r["reward_id"] == reward_id))


def months_of(exports: MoneyExports, first: date) -> Iterator[date]:
    """First days of months, from the first to that of as-of."""
    last = first_of_month(exports.as_of)
    while first <= last:
        yield first
        first = (first + timedelta(days=32)).replace(day=1)


def brought(exports: MoneyExports) -> dict[tuple[date, str], Counter[str]]:
    """What every member brought in every month, rewards included."""
    found: dict[tuple[date, str], Counter[str]] = {}

    def add(moment: datetime, code: str, measure: str, amount: int = 1) -> None:
        found.setdefault((first_of_month(moment), code), Counter())[measure] += amount

    orders = valid_orders(exports)
    for order, referral in orders:
        add(ordered_at(order), referral["member_code"], "referral_valid_orders")
    for lead in valid_leads(exports):
        code, created = lead["member_code"], lead["created_at"]
        add(created, code, "leads_valid")
        if created + timedelta(days=90) <= exports.as_of:
            who = exports.one_id.get(("crm", "leads", lead["lead_id"]))
            hits = [
                order
                for order, referral in orders
                if referral["member_code"] == code
                and who is not None
                and who == exports.one_id.get(("dms", "orders", order["order_no"]))
                and in_window(ordered_at(order), created, 90)
            ]
            add(created, code, "member_conversion_90d_den")
            add(created, code, "member_conversion_90d_num", int(bool(hits)))
    names = {"due": "due", "paid": "paid", "clawback": "clawed_back"}
    for reward, entry, at, due, paid in reward_entries(exports):
        if entry != "not_due":
            measure = f"reward_{names.get(entry, 'withdrawn')}_fen"
            add(at, reward_member(exports, reward), measure, abs(due) + paid)
    return found


def gini(counts: list[int]) -> tuple[int, int]:
    """Mean absolute difference over all pairs, as a fraction that is not reduced."""
    total, size = sum(counts), len(counts)
    differences = sum(abs(a - b) for a in counts for b in counts)
    return differences // 2, size * total


def stock(exports: MoneyExports, cell: Group, month: date) -> Counter[str]:
    """Members of a group at the end of a month."""

    def has_joined(member: Row | None) -> bool:
        at = member and member["registered_at"]
        return bool(at) and first_of_month(at) <= month

    members = [
        m for m in exports.members if group(exports, m["member_code"]) == cell and has_joined(m)
    ]
    captured = [
        m
        for m in members
        if any(
            lead["member_code"] == m["member_code"] and first_of_month(lead["created_at"]) <= month
            for lead in valid_leads(exports)
        )
    ]
    operators = [m for m in members if m["member_kind"] == "星级运营师" and m["status"] != "注销"]
    mentors = 0
    for operator in operators:
        for code in {c.strip() for c in (operator["mentor_codes"] or "").split(";")}:
            mentor = exports.member(code)
            mentors += bool(mentor and mentor["status"] != "注销" and has_joined(mentor))
    return Counter(
        registered_members=len(members),
        lead_capture_rate_members_num=len(captured),
        lead_capture_rate_members_den=len(members),
        active_operators=len(operators),
        mentorships=mentors,
    )


def members_monthly(exports: MoneyExports) -> dict[Hashable, Counter[str]]:
    """Counts of metrics_referral_member_monthly by (month, kind, department)."""
    came, bought = visits(exports), brought(exports)
    seen = {(m, *group(exports, code)) for m, code, _who, _leaves in came}
    seen |= {(month, *group(exports, code)) for month, code in bought}
    for member in exports.members:
        if member["registered_at"] is not None:
            month = first_of_month(member["registered_at"])
            seen.add((month, *group(exports, member["member_code"])))
    found: dict[Hashable, Counter[str]] = {}
    for cell in {key[1:] for key in seen}:
        for month in months_of(exports, min(key[0] for key in seen if key[1:] == cell)):
            counts = stock(exports, cell, month)
            parts = {
                c: n for (m, c), n in bought.items() if m == month and group(exports, c) == cell
            }
            for part in parts.values():
                counts.update(part)
            people: dict[str, bool] = {}
            for at, code, who, leaves in came:
                if at == month and group(exports, code) == cell:
                    people[who] = people.get(who, False) or leaves
            counts["lead_capture_rate_visitors_den"] = len(people)
            counts["lead_capture_rate_visitors_num"] = sum(people.values())
            counts |= concentration(counts, [p["referral_valid_orders"] for p in parts.values()])
            found[(month, *cell)] = counts
    return found


def concentration(counts: Counter[str], orders: list[int]) -> Counter[str]:
    idle = [0] * (counts["registered_members"] - len(orders))
    hits, anchors = gini(orders + idle)
    return Counter(
        top1_share_num=max(orders, default=0),
        top1_share_den=sum(orders),
        gini_num=hits,
        gini_den=anchors,
    )


def ranking(
    bought: Mapping[tuple[date, str], Counter[str]], came: Sequence[Visit]
) -> dict[Hashable, Counter[str]]:
    """Counts of metrics_referral_ranking_monthly by (month, member)."""
    keys = {key for key, n in bought.items() if n["referral_valid_orders"] or n["leads_valid"]}
    keys |= {(month, code) for month, code, _who, _leaves in came}
    found: dict[Hashable, Counter[str]] = {}

    def orders(month: date, code: str) -> int:
        return bought.get((month, code), Counter())["referral_valid_orders"]

    for month, code in keys:
        board = [orders(m, c) for m, c in keys if m == month]
        mine = orders(month, code)
        found[month, code] = Counter(
            referral_valid_orders=mine,
            leads_valid=bought.get((month, code), Counter())["leads_valid"],
            visitors=len({who for m, c, who, _l in came if (m, c) == (month, code)}),
            board_rank=1 + len({n for n in board if n > mine}),
            order_share_num=mine,
            order_share_den=sum(board),
            referral_valid_orders_total=sum(
                orders(m, c) for m, c in bought if c == code and m <= month
            ),
        )
    return found
