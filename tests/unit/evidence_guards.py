"""The guards of the models that make evidence: a case for each, and how it is switched off."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evidence_cases import (
    CUSTOMERS,
    Break,
    Found,
    Staged,
    at,
    contact,
    driver_of,
    event,
    families,
    hashed,
    lead,
    order,
    phone,
    record,
    service,
    visits_of_a_shop,
)


@dataclass(frozen=True)
class Guard:
    """What the records of a case must become, and how that is broken."""

    staged: Staged
    holds: Callable[[Found], bool]
    breaks: Break


def as_login(vehicle: str, *entities: str) -> tuple[str, str]:
    """The evidence of records with a column more, as if it were somebody's account."""
    more = "".join(
        f"select '{entity.split('__')[0]}' as source, '{entity.split('__')[1]}' as entity,"
        f" record_key, 'login_id' as identifier_type, '' as identifier_scope,"
        f" {vehicle} as identifier_value, null::varchar as reason"
        f" from staging.stg_{entity} union all "
        for entity in entities
    )
    return "named as (", f"named as ({more}"


def changed(model: str, sound: str, broken: str) -> Break:
    return Break(models={f"int_identity_{model}": (sound, broken)})


def setting(kind: str, column: str, value: str | None) -> Break:
    return Break(settings={(kind, column): value})


def of_company(found: Found) -> set[str]:
    keys = {"D1|9", "company order"}
    return (found.named | set().union(*found.groups)) & keys


COMPANY: Staged = {
    "stg_dms__customers": [
        record("D1|9", dealer_code="D1", dms_customer_id="9", customer_kind="公司", mobile=phone(1))
    ],
    "stg_dms__orders": [
        order("company order", dealer_code="D1", dms_customer_id="9", mobile=phone(1))
    ],
    "stg_crm__contacts": [contact("buyer", 1)],
}
COUPLE: Staged = {
    "stg_crm__contacts": [contact("wife", 1, name="李娜", backup_mobile=phone(2))],
    "stg_crm__wecom_contacts": [
        record("husband", mobile=phone(2), unionid="U", added_at=at("2026-01-01"))
    ],
}
OWNERS: Staged = {
    "stg_dms__orders": [
        order("first owner", "2024-01-01", name="王伟", vin="V", mobile=phone(1)),
        order("second owner", name="李娜", vin="V", mobile=phone(2)),
    ],
    "stg_dms__service_orders": [
        service("driver", vin="V", owner_name="李娜", sender_name="刘洋", sender_mobile=phone(3))
    ],
}
UNBOUND: Staged = {
    "stg_app__events": [
        event("K1", identities={"login_id": "K1", "mobile": phone(1)}),
        event("K1", "2026-01-02", "track_id_unbind",
              identities={"login_id": "K1", "mobile": phone(1)}),
    ],
    "stg_crm__leads": [lead("new holder", 1)],
}  # fmt: skip


def left_account(kind: str, value: str) -> Staged:
    """A device that named a value together with an account, and took the account back."""
    return {
        "stg_app__events": [
            event("D1", identities={"login_id": "K9", kind: value}),
            event("D1", "2026-01-02", "track_id_unbind", identities={"login_id": "K9"}),
        ],
        "stg_crm__contacts": [contact("holder", 1, email="li.na@example.com")],
    }


def two_devices(**values: str) -> Staged:
    """Two devices that name one value."""
    return {"stg_app__events": [event(device, identities=values) for device in ("D1", "D2")]}


GUARDS: Mapping[str, Guard] = {
    "a car joins neither its owners nor who brings it in": Guard(
        OWNERS,
        lambda found: found.apart("first owner", "second owner", "driver"),
        changed("evidence__records", *as_login("vin", "dms__orders", "dms__service_orders")),
    ),
    "who brings a car in is not its owner": Guard(
        {
            "stg_dms__orders": [order("owner", name="王伟", mobile=phone(1))],
            "stg_dms__service_orders": [
                service("son", owner_name="王伟", sender_name="刘洋", sender_mobile=phone(1))
            ],
        },
        lambda found: found.apart("owner", "son"),
        changed("records", "record.sender_name", "record.owner_name"),
    ),
    "a company is nobody: known by its kind": Guard(
        COMPANY,
        lambda found: not of_company(found),
        changed("organisations", "customer_kind = '公司'", "false"),
    ),
    "a company is nobody: in the evidence": Guard(
        COMPANY,
        lambda found: not of_company(found),
        changed("evidence__records", "and not r.is_organisation", ""),
    ),
    "a company is nobody: in what is resolved": Guard(
        COMPANY,
        lambda found: not of_company(found),
        Break(sources=("where not is_organisation", "")),
    ),
    "a backup phone joins nobody": Guard(
        COUPLE,
        lambda found: found.apart("wife", "husband"),
        changed("evidence__records", "'backup_phone'", "null::varchar"),
    ),
    "a backup phone makes a household": Guard(
        COUPLE,
        lambda found: found.related("wife", "husband") == {"household"},
        Break(models={"bridge_user_relationships": ("b.reason = 'backup_phone'", "false")}),
    ),
    "a backup phone with the same name joins": Guard(
        {
            "stg_crm__contacts": [contact("contact", name="李娜", backup_mobile=phone(2))],
            "stg_partner__referrals": [record("referral", name="李娜", mobile=phone(2))],
        },
        lambda found: found.together("contact", "referral"),
        Break(sources=("or reason = 'backup_phone'", "")),
    ),
    "a referrer is not whom they refer": Guard(
        {
            "stg_partner__members": [record("M1", member_code="M1", mobile=phone(1))],
            "stg_partner__referrals": [record("R1", member_code="M1", mobile=phone(2))],
        },
        lambda found: found.apart("M1", "R1"),
        changed(
            "evidence__records",
            *as_login("member_code", "partner__members", "partner__referrals"),
        ),
    ),
    "another user of a device is another person": Guard(
        {
            "stg_app__events": [
                event("L1", login_id="L1"),
                event("L2", "2026-01-02", "track_signup", original_id="L1", login_id="L2"),
            ]
        },
        lambda found: found.apart("L1", "L2") and found.reasons == {"account_switch"},
        changed("names", "'account_switch'", "null::varchar"),
    ),
    "a browser of several accounts is nobody's": Guard(
        {
            "stg_app__events": [event("A1", login_id="A1"), event("A2", login_id="A2")],
            "stg_website__pages": [
                {"visitor_id": "V1", "login_id": login, "occurred_at": at("2026-01-01")}
                for login in ("A1", "A2")
            ],
        },
        lambda found: found.apart("A1", "A2"),
        changed("evidence", "s.logins > 1", "s.logins > 99"),
    ),
    "what is typed on a device of several accounts is nobody's": Guard(
        {
            "stg_app__events": [event("A1", login_id="A1"), event("A2", login_id="A2")],
            "stg_website__custom_events": [
                {
                    "visitor_id": "V1",
                    "login_id": login,
                    "event_name": "submit_inquiry",
                    "event_variables": json.dumps({"mobile": phone(1)}),
                    "occurred_at": at("2026-01-01"),
                }
                for login in ("A1", "A2")
            ],
            "stg_crm__leads": [lead("lead", 1)],
        },
        lambda found: found.apart("V1", "lead"),
        changed("evidence", "and n.identifier_type in ('mobile', 'email')", "and false"),
    ),
    "a phone typed for a friend is the friend's": Guard(
        {
            "stg_app__events": [
                event("A1", identities={"login_id": "A1", "mobile": phone(1)}),
                event("A1", event="SubmitInquiry", login_id="A1",
                      properties=json.dumps({"mobile": phone(2)})),
            ],
            "stg_crm__leads": [lead("friend", 2)],
        },
        lambda found: found.apart("A1", "friend"),
        changed("evidence", "s.has_verified_mobile", "false"),
    ),
    "what was taken back is no evidence": Guard(
        UNBOUND,
        lambda found: found.apart("K1", "new holder"),
        changed("evidence__events", "'unbound'", "null::varchar"),
    ),
    "the parent of a mobile takes it back": Guard(
        left_account("mobile", phone(1)),
        lambda found: found.apart("D1", "holder"),
        setting("mobile", "parent", None),
    ),
    "the parent of an e-mail address takes it back": Guard(
        left_account("email", "li.na@example.com"),
        lambda found: found.apart("D1", "holder"),
        setting("email", "parent", None),
    ),
    "the device that takes something back stays": Guard(
        {
            "stg_app__events": [
                event("K2", identities={"login_id": "K2", "anonymous_id": "D2"}),
                event("K2", "2026-01-02", "track_id_unbind",
                      identities={"login_id": "K2", "anonymous_id": "D2", "mobile": phone(1)}),
                event("D2"),
            ]
        },
        lambda found: found.together("K2", "D2"),
        changed("names", "identifier_type <> 'anonymous_id'\n                or", "true or"),
    ),
    "a hashed phone meets the plain one": Guard(
        {
            "stg_crm__contacts": [contact("contact", 1)],
            "stg_app__events": [event("D1", identities={"mobile": hashed(1)})],
        },
        lambda found: found.together("contact", "D1"),
        changed("evidence", "h.mobile is not null", "false"),
    ),
    "an adviser's phone is the adviser's alone": Guard(
        {
            "stg_workforce__staff": [record("S1", staff_id="S1", name="孙涛", mobile=phone(1))],
            "stg_crm__contacts": [contact("adviser", 1, name="孙涛")],
            "stg_dms__orders": [order("adviser's order", name="孙涛", mobile=phone(1))],
            "stg_dms__store_visits": visits_of_a_shop(1),
        },
        lambda found: found.together("adviser", "adviser's order")
        and found.apart("adviser", *(f"visit {name}" for name in CUSTOMERS)),
        changed("owners", "mobile is not null", "false"),
    ),
    "a survey is of who owns the car": Guard(
        families(),
        lambda found: found.together("survey now", "she"),
        changed("hints", "p.place = 1", "false"),
    ),
    "a survey is of who owned the car then": Guard(
        families(),
        lambda found: found.together("survey then", "he"),
        changed("hints", "o.since <= s.seen_at", "true"),
    ),
    "a company that owns a car contradicts nobody": Guard(
        driver_of("星辰", customer_kind="公司"),
        lambda found: found.together("survey", "driver"),
        changed("hints", "c.name is null", "true"),
    ),
    "the name of a company contradicts nobody": Guard(
        driver_of("长风贸易公司"),
        lambda found: found.together("survey", "driver"),
        changed("hints", "'公司|", "'"),
    ),
    "an openid counts within its app": Guard(
        {
            "stg_app__events": [
                event("D1", identities={"mp_wx1_openid": "same"}),
                event("D2", identities={"mp_wx2_openid": "same"}),
            ]
        },
        lambda found: found.apart("D1", "D2"),
        setting("openid", "scope", None),
    ),
    "a dealer's customer number counts within the dealer": Guard(
        {
            "stg_dms__customers": [
                record(f"{dealer}|7", dealer_code=dealer, dms_customer_id="7")
                for dealer in ("D1", "D2")
            ]
        },
        lambda found: found.apart("D1|7", "D2|7"),
        setting("dms_customer_id", "scope", None),
    ),
    "identity cards are compared in upper case": Guard(
        {"stg_dms__orders": [order("O1", id_card="1x"), order("O2", id_card="1X")]},
        lambda found: found.together("O1", "O2"),
        setting("id_card", "normaliser", "as delivered"),
    ),
    "e-mail addresses are compared in one spelling": Guard(
        {
            "stg_app__events": [event("D1", identities={"email": " Li.Na@Example.com"})],
            "stg_crm__contacts": [contact("contact", email="li.na@example.com")],
        },
        lambda found: found.together("contact", "D1"),
        setting("email", "normaliser", "as delivered"),
    ),
    "a cut e-mail address is no evidence": Guard(
        two_devices(email="a.very.very.long.name@exampleb"),
        lambda found: found.apart("D1", "D2"),
        setting("email", "normaliser", "lower case"),
    ),
    "mobiles of the app are compared in one spelling": Guard(
        {
            "stg_app__events": [event("D1", identities={"mobile": "139-0000-0001"})],
            "stg_crm__contacts": [contact("contact", 1)],
        },
        lambda found: found.together("contact", "D1"),
        setting("mobile", "normaliser", "as delivered"),
    ),
    "mobiles of the website are compared in one spelling": Guard(
        {
            "stg_website__custom_events": [
                {
                    "visitor_id": "V1",
                    "event_name": "submit_inquiry",
                    "event_variables": json.dumps({"mobile": "139 0000 0001"}),
                    "occurred_at": at("2026-01-01"),
                }
            ],
            "stg_crm__contacts": [contact("contact", 1)],
        },
        lambda found: found.together("contact", "V1"),
        setting("mobile", "normaliser", "as delivered"),
    ),
    "a shop's phone is told as a relationship": Guard(
        {"stg_dms__store_visits": visits_of_a_shop(1)},
        lambda found: {kind for _, kind in found.relations} == {"shared_phone"},
        setting("mobile", "over_limit", "drop_edge"),
    ),
    "a family's e-mail address is told as a relationship": Guard(
        {
            "stg_crm__contacts": [
                contact(name, name=name, email="home@example.com") for name in CUSTOMERS[:2]
            ]
        },
        lambda found: found.related(*CUSTOMERS[:2]) == {"household"},
        setting("email", "over_limit", "drop_edge"),
    ),
    **{
        f"who shares a {kind} is not told as related": Guard(
            {
                "stg_app__events": [
                    event(f"L{number}", identities={"login_id": f"L{number}", name: "kiosk"})
                    for number in range(5)
                ]
            },
            lambda found: not found.relations,
            setting(kind, "over_limit", "relationship_only"),
        )
        for kind, name in {
            "unionid": "mp_unionid", "openid": "mp_wx1_openid", "anonymous_id": "anonymous_id",
        }.items()
    },
    "a type that is an edge joins": Guard(
        two_devices(mobile=phone(1)),
        lambda found: found.together("D1", "D2"),
        setting("mobile", "status", "known"),
    ),
}  # fmt: skip
