"""The declared tags on hand-made persons: borders of windows and bands, midnight, zero facts."""

import json
from datetime import date
from typing import Any

import pytest
from metrics_bench import compile_project
from tag_people import BUILT, Person, ago, car, did, event, make_bench, views

from zhongtai.settings import load_settings

SECOND = 1 / 86400
OWNER = {"is_owner": True}
PRICE = {"is_cancelled": False, "is_delivered": True, "is_returned": False}
CLICK = "click_finance"


def person(name: str, says: dict[str, Any], /, *facts: Any, **profile: Any) -> Person:
    return Person(name, says, list(facts), profile)


DEMOGRAPHICS = [
    person("nobody-known", {"gender": None, "age_band": None, "city_tier": None,
                            "profile_completeness": "匿名", "birthday_soon": False}),
    person("eighteen-today", {"age_band": "18-24岁", "birthday_soon": True},
           birth_date=date(2008, 9, 1)),
    person("eighteen-tomorrow", {"age_band": "未成年"}, birth_date=date(2008, 9, 2)),
    person("birthday-in-thirty-days", {"birthday_soon": True, "age_band": "35-44岁"},
           birth_date=date(1990, 10, 1)),
    person("birthday-in-thirty-one-days", {"birthday_soon": False}, birth_date=date(1990, 10, 2)),
    person("birthday-was-yesterday", {"birthday_soon": False}, birth_date=date(1990, 8, 31)),
    person("in-the-first-tier", {"city_tier": "一线"}, city="上海市"),
    person("in-another-city", {"city_tier": "其他"}, city="徐州市"),
    person("reachable-only", {"profile_completeness": "可联系", "contactable_by_email": True},
           email="a@example.com"),
    person("whole-profile", {"profile_completeness": "完整", "gender": "女"},
           name="张三", mobile="+8613900000000", gender="女", city="上海市"),
]  # fmt: skip

INTENT = [
    person("eleven-views-and-a-click",
           {"intent_10_views_and_finance": True, "finance_interest": False, "intent_level": "高"},
           *views(11), event(CLICK, ago(30))),
    person("ten-views-and-a-click",
           {"intent_10_views_and_finance": False, "finance_interest": True, "intent_level": "中"},
           *views(10), event(CLICK, ago(1))),
    person("the-click-a-second-too-old", {"intent_10_views_and_finance": False},
           *views(11), event(CLICK, ago(30 + SECOND))),
    person("eleven-views-of-two-series", {"intent_10_views_and_finance": False},
           *views(6), *views(5, "B"), event(CLICK, ago(1))),
    person("configures", {"configuration_interest": True, "configurator_depth": "深度"},
           *[event("view_config", ago(n), series_code="A", model_code="A-L") for n in (1, 2, 3)]),
    person("booked-sixty-days-ago", {"booked_without_test_drive": True, "intent_level": "中"},
           event("book_test_drive", ago(60))),
    person("booked-and-drove", {"booked_without_test_drive": False, "test_driven": True},
           event("book_test_drive", ago(9)), did("test_drives", ago(8), series_code="A")),
    person("hot-and-open", {"hot_lead": True, "lead_rating": "H级-7天内"},
           lead_tier="H", nurture_pool="潜客池"),
    person("hot-and-lost", {"hot_lead": False}, lead_tier="H", nurture_pool="流量池"),
    person("no-intent", {"intent_level": "低", "preferred_series": None, "series_viewed": 0}),
    person("clicked-and-silent-for-three-days", {"finance_without_inquiry": True},
           event(CLICK, ago(4))),
    person("three-days-are-not-over", {"finance_without_inquiry": False}, event(CLICK, ago(2))),
    person("inquired-within-three-days",
           {"finance_without_inquiry": False, "inquired_recently": True},
           event(CLICK, ago(6)), event("submit_inquiry", ago(4))),
    person("inquired-a-week-after-looking", {"views_then_inquiry": True},
           event("view_series", ago(17), series_code="A"), event("submit_inquiry", ago(10))),
    person("inquired-before-looking", {"views_then_inquiry": False},
           event("submit_inquiry", ago(18)), event("view_series", ago(17), series_code="A")),
    person("looks-at-three-series",
           {"series_hopper": True, "series_considered": ["A", "B"], "last_viewed_series": "C"},
           *views(3, "A", 9), *views(2, "B", 8), *views(1, "C", 7)),
]  # fmt: skip

ACTIVITY = [
    person("never-active", {"activity_band": "沉默", "days_since_last_activity": None,
                            "digital_touchpoints": 0, "app_active": False, "touchpoint_mix": None,
                            "reads_but_never_shares": False, "content_reader": "不看",
                            "campaigns_joined": 0, "time_on_app": "无"}),
    person("around-midnight", {"activity_band": "低", "days_since_last_activity": 3},
           event("app_start", ago(3)), event("app_start", ago(3, 1))),
    person("three-days", {"activity_band": "中"}, *[event("app_start", ago(n)) for n in (1, 2, 3)]),
    person("ten-days", {"activity_band": "高"},
           *[event("app_start", ago(n)) for n in range(1, 11)]),
    person("thirty-days-ago", {"app_active": True}, event("app_start", ago(30))),
    person("a-second-over-thirty-days-ago", {"app_active": False, "activity_band": "沉默"},
           event("app_start", ago(30 + SECOND))),
    person("at-as-of", {"app_active": False}, event("app_start", ago(0))),
    person("away-and-back", {"comes_back": True},
           event("app_start", ago(1)), event("app_start", ago(21 + SECOND))),
    person("was-never-away", {"comes_back": False},
           *[event("app_start", ago(n)) for n in (1, 21, 30)]),
    person("mostly-in-the-evening",
           {"evening_share": "主要在晚间", "touchpoint_mix": {"app": 0.8, "website": 0.2}},
           *[event("app_start", ago(n, 5 * 3600)) for n in (1, 2, 3)],
           event("app_start", ago(4, 1)), did("events", ago(4, 9 * 3600), source="website")),
    person("one-minute-to-seven", {"evening_share": "很少"},
           *[event("app_start", ago(n, 5 * 3600 + 60)) for n in range(1, 6)]),
    person("too-little-to-say", {"evening_share": None, "touchpoint_mix": None},
           *[event("app_start", ago(n, 3600)) for n in range(1, 5)]),
    person("reads-four", {"content_reader": "偶尔", "content_fan": False,
                          "reads_but_never_shares": True},
           *[event("view_content", ago(1, n)) for n in range(4)]),
    person("reads-five", {"content_reader": "经常", "content_fan": True},
           *[event("view_content", ago(1, n)) for n in range(5)]),
    person("shares-and-writes", {"word_of_mouth": True, "sharer": True, "community_author": True,
                                 "reads_but_never_shares": False},
           event("share_content", ago(9)), event("community_post", ago(8))),
    person("joins", {"campaigns_joined": 2, "last_campaign": "C2", "campaign_participant": True},
           event("join_activity", ago(5), campaign_code="C1"),
           event("join_activity", ago(4), campaign_code="C1"),
           event("join_activity", ago(3), campaign_code="C2")),
    person("ten-minutes-on-the-app", {"time_on_app": "10分钟内"},
           event("app_end", ago(1), duration_seconds=600)),
]  # fmt: skip

DEALER = [
    person("never-in-a-store", {"store_visits_band": "未到店", "shops_around": False,
                                "wecom_advisers": 0, "left_wecom": False, "never_answered": False,
                                "path_to_drive": 0, "journey_stage": "已知"}),
    person("two-dealers", {"shops_around": True, "store_visits_band": "多次"},
           did("store_visits", ago(2), dealer_code="D1"),
           did("store_visits", ago(180), dealer_code="D2")),
    person("one-dealer-twice", {"shops_around": False},
           *[did("store_visits", ago(n), dealer_code="D1") for n in (1, 2)]),
    person("visited-thirty-days-ago", {"visited_recently": True, "walk_in": True},
           did("store_visits", ago(30), visit_kind="首次自然来店")),
    person("called-in-vain", {"never_answered": True},
           *[did("leads", ago(n), is_called=True, is_connected=False) for n in (5, 9)]),
    person("called-and-answered-once", {"never_answered": False},
           did("leads", ago(5), is_called=True, is_connected=False),
           did("leads", ago(9), is_called=True, is_connected=True)),
    person("one-adviser-left", {"wecom_advisers": 1, "left_wecom": False},
           did("wecom", ago(9), staff_id="S1"),
           did("wecom", ago(9), staff_id="S2", deleted_at=ago(1))),
    person("all-advisers-left", {"wecom_advisers": 0, "left_wecom": True,
                                 "contact_route": "无法触达"},
           did("wecom", ago(9), staff_id="S2", deleted_at=ago(1))),
    person("lead-visit-drive", {"path_to_drive": 3, "journey_stage": "试驾"},
           did("leads", ago(9), is_valid=True, is_test=False), did("store_visits", ago(8)),
           did("test_drives", ago(7))),
    person("drove-before-the-lead", {"path_to_drive": 1},
           did("test_drives", ago(9)), did("leads", ago(8), is_valid=True)),
    person("test-lead-only", {"first_touch_channel": None, "own_platform_lead": False},
           did("leads", ago(9), is_test=True, channel_1="自有平台")),
    person("two-touches", {"first_touch_channel": "门店", "last_touch_channel": "垂直媒体",
                           "bought_media_lead": True},
           did("leads", ago(9), is_test=False, channel_1="门店"),
           did("leads", ago(2), is_test=False, channel_1="垂直媒体")),
]  # fmt: skip

ORDERS = [
    person("no-order", {"purchase_price_band": None, "payment_choice": None, "bought_series": None,
                        "waiting_for_car": False, "cancelled_order": False}),
    person("waits", {"waiting_for_car": True, "bought_series": None, "payment_choice": "贷款"},
           did("orders", ago(9), is_cancelled=False, is_delivered=False, payment_method="贷款")),
    person("gave-up", {"waiting_for_car": False, "cancelled_order": True, "payment_choice": None},
           did("orders", ago(365), is_cancelled=True, is_delivered=False, payment_method="贷款")),
    person("gave-the-car-back", {"cancelled_order": False, "bought_series": None,
                                 "repeat_buyer": False},
           did("orders", ago(99), is_cancelled=True, is_delivered=True, is_returned=True,
               series_code="A")),
    person("price-on-the-border", {"purchase_price_band": "15万以内"},
           did("orders", ago(9), price_fen=15_000_000, **PRICE)),
    person("a-fen-above", {"purchase_price_band": "15-25万"},
           did("orders", ago(9), price_fen=15_000_001, **PRICE)),
    person("bought-twice", {"repeat_buyer": True, "bought_series": "B"},
           did("orders", ago(999), series_code="A", **PRICE),
           did("orders", ago(9), series_code="B", **PRICE)),
    person("drove-sixty-days-ago", {"drove_without_order": True, "test_driven_series": "A"},
           did("test_drives", ago(60), series_code="A")),
    person("drove-and-gave-up", {"drove_without_order": True},
           did("test_drives", ago(9)), did("orders", ago(8), is_cancelled=True)),
    person("drove-and-ordered", {"drove_without_order": False},
           did("test_drives", ago(9)), did("orders", ago(8), is_cancelled=False)),
]  # fmt: skip

OWNERS = [
    person("no-car", {"vehicle_age_band": None, "cars_owned": 0, "churn_risk": None,
                      "owner_value": None, "maintenance_due": False, "silent_owner": False}),
    person("half-a-year", {"vehicle_age_band": "半年内", "cars_owned": 1}, car(183), **OWNER),
    person("a-day-over-half-a-year", {"vehicle_age_band": "半年至两年"}, car(184), **OWNER),
    person("two-years", {"vehicle_age_band": "半年至两年"}, car(730), **OWNER),
    person("newest-car-counts", {"vehicle_age_band": "半年内", "cars_owned": 2, "new_owner": True,
                                 "replacement_window": False}, car(90), car(2000), **OWNER),
    person("ninety-one-days", {"new_owner": False}, car(90 + SECOND), **OWNER),
    person("three-years", {"replacement_window": True}, car(1095), **OWNER),
    person("a-day-before-three-years", {"replacement_window": False}, car(1094), **OWNER),
    person("passed-it-on", {"former_owner": True, "cars_owned": 0, "vehicle_age_band": None},
           car(900, valid_to=ago(10)), is_owner=False),
    person("traded-it-in", {"former_owner": False, "cars_owned": 1},
           car(900, valid_to=ago(10)), car(9), **OWNER),
    person("took-over", {"used_car_owner": True}, car(9), **OWNER),
    person("bought-new", {"used_car_owner": False}, car(9), did("orders", ago(20), **PRICE),
           **OWNER),
    person("drives-the-family-car", {"drives_without_owning": True},
           did("vehicles", ago(9), role="driver"), is_owner=False),
    person("cared-for", {"cared_for": True, "silent_owner": False}, car(400),
           did("owner_contacts", ago(90), is_proactive=True, purpose="用车关怀"), **OWNER),
    person("only-reminded", {"cared_for": False, "silent_owner": False}, car(400),
           did("owner_contacts", ago(9), is_proactive=True, purpose="保养提醒"), **OWNER),
    person("called-us", {"cared_for": False, "silent_owner": True}, car(400),
           did("owner_contacts", ago(9), is_proactive=False, purpose="用车关怀"), **OWNER),
]  # fmt: skip


def serviced(days: float, amount: int = 50_000, kind: str = "保养", dealer: str = "D1") -> Any:
    return did("service_visits", ago(days), service_kind=kind, amount_fen=amount,
               dealer_code=dealer)  # fmt: skip


SERVICE = [
    person("never-serviced", {"service_rhythm": "未进厂", "service_visits_band": "未进厂",
                              "aftersales_value": "无消费", "service_rfm": None,
                              "serviced_where_bought": False, "addon_spend": "无"}),
    person("maintained-a-year-ago", {"maintenance_due": False, "maintained_here": True},
           car(800), serviced(365), **OWNER),
    person("maintained-a-second-earlier", {"maintenance_due": True, "churn_risk": "中"},
           car(800), serviced(365 + SECOND), **OWNER),
    person("repaired-only", {"maintenance_due": True, "had_repair": True},
           car(800), serviced(9, kind="索赔"), **OWNER),
    person("car-not-yet-a-year-old", {"maintenance_due": False, "churn_risk": "低",
                                      "owner_value": "低"}, car(364), **OWNER),
    person("spent-a-thousand", {"aftersales_value": "1000元内", "service_visits_band": "多次",
                                "owner_value": "中"},
           car(9), serviced(3, 150_000), serviced(2, -50_000), **OWNER),
    person("spent-more", {"aftersales_value": "3000元内"}, serviced(3, 100_001)),
    person("rhythm-on-the-border", {"service_rhythm": "活跃"}, serviced(183)),
    person("served-where-bought", {"serviced_where_bought": True},
           did("orders", ago(99), dealer_code="D1", **PRICE), serviced(9), serviced(5)),
    person("served-elsewhere-too", {"serviced_where_bought": False, "preferred_workshop": "D2"},
           did("orders", ago(99), dealer_code="D1", **PRICE), serviced(9),
           serviced(5, dealer="D2")),
    person("refunded-addon", {"addon_spend": "无", "addon_buyer": False},
           did("addon_sales", ago(9), product_type="服务包", amount_fen=99_000,
               refunded_at=ago(8))),
    person("dear-addon", {"addon_spend": "2000元以上", "owner_value": "高"}, car(9),
           did("addon_sales", ago(9), product_type="精品", amount_fen=200_001), **OWNER),
]  # fmt: skip


def scored(score: int, days: float = 9) -> Any:
    return did("surveys", ago(days), recommend_score=score)


def content(tenths: int | None, days: float = 9) -> Any:
    return did("surveys", ago(days), satisfaction_tenths=tenths)


SATISFACTION = [
    person("never-asked", {"nps_class": None, "answers_surveys": False, "complained": False}),
    person("six", {"nps_class": "贬损者"}, scored(6)),
    person("seven", {"nps_class": "中立者"}, scored(7)),
    person("eight", {"nps_class": "中立者"}, scored(8)),
    person("nine-after-zero", {"nps_class": "推荐者"}, scored(0, 20), scored(9)),
    person("no-points-given", {"satisfaction_band": None}, content(None)),
    person("a-tenth-below-sixty", {"satisfaction_band": "不满意"}, content(599)),
    person("sixty", {"satisfaction_band": "一般"}, content(600)),
    person("a-tenth-below-ninety", {"satisfaction_band": "满意"}, content(899)),
    person("the-last-points-given-count", {"satisfaction_band": "非常满意"},
           content(0, 20), content(900, 10), content(None)),
    person("answered-long-ago", {"nps_class": None, "answers_surveys": False},
           scored(9, 365 + SECOND)),
    person("happy-owner", {"promoter_owner": True, "churn_risk": "低"}, car(9), scored(9), **OWNER),
    person("happy-but-complaining", {"promoter_owner": False, "in_complaint": True,
                                     "churn_risk": "中"}, car(9), scored(9),
           did("complaints", ago(9), complaint_level="一般"), **OWNER),
    person("grave-complaint-closed", {"in_complaint": False, "grave_complaint": True,
                                      "churn_risk": "高", "felt_misled": True}, car(9),
           did("complaints", ago(365), complaint_level="重大", complaint_type="销售误导",
               closed_at=ago(1)), **OWNER),
    person("detractor-who-stays-away", {"churn_risk": "高"}, car(800), scored(3), **OWNER),
    person("complains-without-a-car", {"churn_risk": None, "complained": True},
           did("complaints", ago(9), complaint_level="重大")),
]  # fmt: skip

CONTACT = [
    person("silent-about-consent", {"marketing_consent": "未同意", "marketable": False,
                                    "contact_route": "仅电话"}, mobile="+86139", is_partner=False),
    person("agreed-and-reachable", {"marketing_consent": "同意", "marketable": True},
           mobile="+86139", allows_marketing=True),
    person("agreed-and-not-reachable", {"marketable": False, "contact_route": "无法触达"},
           allows_marketing=True),
    person("agreed-but-not-to-be-disturbed", {"do_not_disturb": True, "marketable": False},
           did("manual_tags", ago(9), tag_id="do_not_disturb", value="true", is_set=True),
           mobile="+86139", allows_marketing=True),
    person("by-wecom-only", {"contact_route": "仅企微", "contactable_by_both": False},
           did("wecom", ago(9), staff_id="S1")),
    person("by-both", {"contact_route": "双链路", "contactable_by_both": True},
           did("wecom", ago(9), staff_id="S1"), mobile="+86139"),
    person("referred-three", {"referrals_made_band": "3位及以上", "referrer_with_deals": True,
                              "referrer_kind": "员工"},
           *[did("referrals_made", ago(n), status="有效", member_kind="员工") for n in (1, 2)],
           did("referrals_made", ago(365), status="有效", member_kind="迈享客", order_no="O1")),
    person("referral-cancelled", {"referrals_made_band": "未推荐", "referrer_with_deals": False},
           did("referrals_made", ago(9), status="已取消", order_no="O1")),
]  # fmt: skip

GROUPS = [DEMOGRAPHICS, INTENT, ACTIVITY, DEALER, ORDERS, OWNERS, SERVICE, SATISFACTION, CONTACT]
PEOPLE = [one for group in GROUPS for one in group]
CROWD = [Person(f"u_{number:032x}", {}) for number in range(2000)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the tags say, by person and tag."""
    home = tmp_path_factory.mktemp("tags")
    project = compile_project(load_settings(home=home, threads=2), BUILT)
    return make_bench(project).tags_of([*PEOPLE, *CROWD])


@pytest.mark.parametrize("one", [pytest.param(one, id=one.name) for one in PEOPLE])
def test_tags_say_of_a_person(found: dict[str, dict[str, Any]], one: Person) -> None:
    said = {tag: found[one.name][tag] for tag in one.says}
    if isinstance(said.get("touchpoint_mix"), str):
        said["touchpoint_mix"] = json.loads(said["touchpoint_mix"])
    assert said == one.says


def test_no_person_is_made_twice() -> None:
    names = [one.name for one in PEOPLE]
    assert len(names) == len(set(names))
    assert len(names) >= 100


def test_a_control_group_has_its_share_and_arms_leave_nobody_out(
    found: dict[str, dict[str, Any]],
) -> None:
    crowd = [found[one.name] for one in CROWD]
    held_out = sum(tags["universal_holdout"] for tags in crowd)
    assert 60 <= held_out <= 140, "five in a hundred of two thousand"
    arms = [tags["nurture_experiment"] for tags in crowd]
    assert set(arms) == {"A组", "B组", "对照组"}
    assert 320 <= arms.count("对照组") <= 480
