"""What a raw row says about whom it belongs to: SQL over its delivered columns, by contract.

A row belongs to whom it names as its subject. Where it names somebody in passing (an emergency
phone, a number typed into a form) only that cell is about him.
"""

from dataclasses import dataclass

from zhongtai.contracts import Column, Contract
from zhongtai.ingest.rules import literal, quoted, record_key_expression

# Any value, whatever it is: texts that no reader could take apart are searched for it.
ANYTHING = "*"
# The name of whoever owned a car, together with the car.
OWNER = "owner"

_EVENTS = ("app.events", "miniprogram.events")
_VISITS = ("website.visits", "website.pages", "website.custom_events")
_BY_TYPE = {"mobile": "mobile", "email": "email", "id_card": "id_card"}
_BY_NAME = ("crm_customer_id", "login_id", "unionid", "wecom_external_id")
# Columns that hold the key of another record: the row goes with that record.
_FOLLOWS = {
    ("crm.follow_ups", "lead_id"): "crm.leads",
    ("partner.rewards", "referral_id"): "partner.referrals",
    ("dms.deliveries", "order_no"): "dms.orders",
}
# Rows that are about their subject in another role: what identifies the person goes, the row stays.
_IN_ANOTHER_ROLE = ("workforce.staff",)
_OF_COMPANIES = ("dms.customers", "dms.orders")
_NAMED_BY_TYPE = ("crm.manual_tags", "crm.erasure_requests")
# JSON columns in which forms leave the number that was typed.
_FORMS = ("properties", "event_variables", "app_variables")

_INVISIBLE = "\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad"
_BLANK = " \t\r\n\u00a0\u3000"
_WIDE = "".join(chr(code) for code in range(0xFF01, 0xFF5F)) + "\u3000"
_NARROW = "".join(chr(code) for code in range(0x21, 0x7F)) + " "
_SDK_PREFIX = "^[$]identity_[A-Za-z0-9_]+[+]"


@dataclass(frozen=True)
class Naming:
    """One way in which a row names somebody.

    `value` is SQL, NULL where nothing is named. `cells` are the columns that are about whom it
    names in passing, each with the SQL of what is left of it; without cells the row belongs to him.
    `lasts`: the row is his whenever it happened; else a number may be somebody else's later.
    """

    kind: str
    value: str
    cells: tuple[tuple[str, str], ...] = ()
    lasts: bool = False

    @property
    def is_own(self) -> bool:
        """Whether the whole row is about whom it names."""
        return not self.cells


def tidy_sql(text: str) -> str:
    """SQL: half-width, without invisible characters and the blanks and quotes around."""
    return (
        f"trim(translate(regexp_replace({text}, '[{_INVISIBLE}]', '', 'g'),"
        f" {literal(_WIDE)}, {literal(_NARROW)}), {literal(_BLANK + chr(39) + '‘’')})"
    )


def spell_sql(kind: str, value: str) -> str:
    """SQL: a delivered value in the one spelling in which values of its kind are compared."""
    if kind == "mobile":
        tidy = f"lower({tidy_sql(value)})"
        digits = f"regexp_replace({tidy}, '[.]0*$|[^0-9]', '', 'g')"
        # a hash stands for the number that it was made of
        return (
            f"case when regexp_full_match({tidy}, '[0-9a-f]{{32}}|[0-9a-f]{{64}}') then {tidy} else"
            f" regexp_extract({digits}, '^(?:0|86|0086|086)?(1[3-9][0-9]{{9}})$', 1) end"
        )
    if kind == "email":
        return f"lower({tidy_sql(value)})"
    if kind == "id_card":
        return f"upper({tidy_sql(value)})"
    return f"regexp_replace(trim({value}), '{_SDK_PREFIX}', '')"


def record_kind(name: str) -> str:
    """The kind under which the key of a record of the entity `crm.leads` is known."""
    return f"record:{name}"


def subject_of(contract: Contract) -> str | None:
    """The column that names the subject of an event entity; None where rows are records."""
    if contract.name in _EVENTS:
        return "distinct_id"
    return "visitor_id" if contract.name in _VISITS else None


def list_namings(contract: Contract) -> tuple[Naming, ...]:
    """Every way in which rows of this entity name somebody."""
    subject = subject_of(contract)
    if subject and contract.name in _VISITS:
        found = _name_visitors(contract)
    elif subject:
        found = _name_actors(contract)
    else:
        key = record_key_expression(contract)
        found = [Naming(record_kind(contract.name), key, lasts=True)]
    if contract.name in _NAMED_BY_TYPE:
        found += _name_by_type(contract)
    for column in contract.columns:
        found += _name_in(contract, column)
    return tuple(found)


def _name_in(contract: Contract, column: Column) -> list[Naming]:
    """What one column names."""
    cell = quoted(column.delivered)
    followed = _FOLLOWS.get((contract.name, column.name))
    if followed:
        return [Naming(record_kind(followed), f"trim({cell})", lasts=True)]
    if column.name == "owner_name":
        return [_name_owner(contract, column)]
    if column.name in _FORMS:
        return [_name_typed(column)]
    if column.name == "dms_customer_id":
        dealer = quoted(_delivered(contract, "dealer_code"))
        return [Naming(column.name, f"trim({dealer}) || '|' || trim({cell})")]
    kind = _BY_TYPE.get(column.type) or (column.name if column.name in _BY_NAME else None)
    if column.name == "member_code" and contract.name == "partner.members":
        kind = "member_code"
    return _name_by_kind(contract, column, kind) if kind else []


def _field_sql(cell: str, path: str) -> str:
    """SQL: a field of a cell that holds a JSON object, NULL where it holds anything else."""
    return f"json_extract_string(try_cast({cell} as json), {literal(path)})"


def _name_typed(column: Column) -> Naming:
    """The number that was typed into a form, perhaps for somebody else."""
    cell = quoted(column.delivered)
    # where the form is no JSON, whatever in it looks like a number
    typed = (
        f"coalesce({_field_sql(cell, '$.mobile')}, case when not coalesce(json_valid({cell}), true)"
        f" then nullif(regexp_extract({cell}, '1[3-9][0-9]{{9}}'), '') end)"
    )
    cells = ((column.delivered, f"replace({cell}, {typed}, '')"),)
    return Naming("mobile", spell_sql("mobile", typed), cells)


def _name_by_kind(contract: Contract, column: Column, kind: str) -> list[Naming]:
    cell = quoted(column.delivered)
    value, passing = spell_sql(kind, cell), ((column.delivered, "null"),)
    if column.name == "backup_mobile" or contract.name in _IN_ANOTHER_ROLE:
        return [Naming(kind, value, passing)]
    if contract.name not in _OF_COMPANIES:
        return [Naming(kind, value)]
    is_company = _company_sql(contract)
    return [
        Naming(kind, f"case when not {is_company} then {value} end"),
        Naming(kind, f"case when {is_company} then {value} end", passing),
    ]


def _company_sql(contract: Contract) -> str:
    """Whether the row is about a company, for which whom it names only answers the phone."""
    number = f"upper({tidy_sql(quoted(_delivered(contract, 'id_card')))})"
    signs = [f"regexp_full_match({number}, '9[0-9]{{7}}[0-9A-Z]*[A-Z][0-9A-Z]+')"]
    if any(column.name == "customer_kind" for column in contract.columns):
        signs.append(f"trim({quoted(_delivered(contract, 'customer_kind'))}) = '公司'")
    return f"coalesce({' or '.join(signs)}, false)"


def _name_owner(contract: Contract, column: Column) -> Naming:
    """The owner whose car somebody else brought: his name and the plate are about him."""
    vin, plate = (_delivered(contract, name) for name in ("vin", "plate"))
    cells = ((column.delivered, "null"), (plate, "null"))
    return Naming(OWNER, owner_sql(quoted(vin), quoted(column.delivered)), cells, lasts=True)


def owner_sql(vin: str, name: str) -> str:
    """SQL: a car and a name as they are compared."""
    car = f"translate(upper(regexp_replace({vin}, '\\s+', '', 'g')), 'OIQ', '010')"
    return f"{car} || '|' || lower(regexp_replace({tidy_sql(name)}, '\\s+', '', 'g'))"


def _name_by_type(contract: Contract) -> list[Naming]:
    """Rows that say in one column what kind of identifier is in another."""
    kind, value = (
        quoted(_delivered(contract, name)) for name in ("identifier_type", "identifier_value")
    )
    return [
        Naming(named, f"case when trim({kind}) = '{named}' then {spell_sql(named, value)} end")
        for named in ("mobile", "unionid", "login_id", "crm_customer_id")
    ]


def _name_visitors(contract: Contract) -> list[Naming]:
    visitor = f"trim({quoted(_delivered(contract, 'visitor_id'))})"
    return [Naming("visitor_id", visitor), Naming(record_kind("website.visits"), visitor)]


def _name_actors(contract: Contract) -> list[Naming]:
    """An event names its subject, the login and the device, and what its SDK knew."""
    names = ("distinct_id", "original_id", "anonymous_id", "identities")
    subject, original, device, known = (quoted(_delivered(contract, name)) for name in names)
    found = [Naming(record_kind(contract.name), spell_sql("login_id", subject))]
    found += [
        Naming(kind, spell_sql(kind, cell))
        for cell in (subject, original, device)
        for kind in ("login_id", "anonymous_id", "openid")
    ]
    for kind in ("login_id", "anonymous_id", "mobile", "email"):
        told = _field_sql(known, f'$."$identity_{kind}"')
        found.append(Naming(kind, spell_sql(kind, told)))
    # the key of an openid holds the app
    for kind, pattern in (("openid", '[^"]+_openid'), ("unionid", "mp_unionid")):
        told = f'regexp_extract({known}, \'"[$]identity_{pattern}"\\s*:\\s*"([^"]+)"\', 1)'
        found.append(Naming(kind, spell_sql(kind, told)))
    return found


def _delivered(contract: Contract, name: str) -> str:
    return next(column.delivered for column in contract.columns if column.name == name)


def tokens_sql(text: str) -> str:
    """SQL: a list of all that could be a value in a text that no reader could take apart."""
    words = f"regexp_split_to_array({tidy_sql(text)}, '[^0-9A-Za-z_.@+-]+')"
    spelled = ", ".join(
        f"list_transform({words}, lambda w: {expression})"
        for expression in ("w", "lower(w)", "upper(w)", spell_sql("mobile", "w"))
    )
    return f"list_filter(list_distinct(flatten([{spelled}])), lambda w: length(w) >= 6)"
