"""Reading a delivered time in SQL, in every spelling that exports use, as naive UTC.

The same spellings as the dbt macros `clean_timestamp` and `clean_epoch`; a test compares the two.
Ingestion needs them to refuse rows whose event time is unreadable or lies in the future.
"""

_INVISIBLE = "\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad"
_BLANK = " \t\r\n\u00a0\u3000"
_WIDE = "０１２３４５６７８９：／－．Ｔ＋\u3000"
_NARROW = "0123456789:/-.T+ "

# Groups: 1 year, 2 month, 3 day, 4 half of the day, 5 hour, 6 minute, 7 second, 8 fraction,
# 9 half of the day, 10 offset, 11 its sign, 12 its hours, 13 its minutes (`-08:0` occurs).
_WRITTEN = (
    "^([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?"
    "(?:[T ]*(上午|下午|中午|晚上|凌晨|早上|[AaPp][Mm])? *([0-9]{1,2})[:点时]"
    "(?:([0-9]{1,2})分?)?(?::?([0-9]{1,2})秒?)?(?:[.,]([0-9]{1,9}))?"
    " *([AaPp][Mm])? *([Zz]|UTC|GMT|([+-])([0-9]{1,2}):?([0-9]{0,2}))?)?$"
)
_GROUPS = (
    "y", "mo", "d", "half", "h", "mi", "s", "f", "half2", "zone", "sign", "zh", "zm",
)  # fmt: skip


def time_expression(column: str, kind: str) -> str:
    """SQL for the quoted column as naive UTC TIMESTAMP; NULL where it is no time.

    `kind` is ms (epochs), ts or date. The common spelling comes first and costs least.
    """
    if kind == "ms":
        return (
            f"case when length({column}) = 13 and try_cast({column} as bigint) > 0"
            f" then epoch_ms(try_cast({column} as bigint)) else {_any_spelling(column)} end"
        )
    return (
        f"coalesce(case when {column} like '____-__-__ __:__:__'"
        f" then try_cast({column} as timestamp) - interval '8' hour end, {_any_spelling(column)})"
    )


def _any_spelling(column: str) -> str:
    """The rarer spellings; a scalar subquery names each intermediate result once."""
    tidy = (
        f"trim(translate(regexp_replace({column}, '[{_INVISIBLE}]', '', 'g'),"
        f" '{_WIDE}', '{_NARROW}'), '{_BLANK}''‘’')"
    )
    return f"list_transform([{tidy}], lambda t: {_tidy_time('t')})[1]"


def _tidy_time(text: str) -> str:
    return (
        "case"
        # a column with gaps may have been floats on its way: 1769911200000.0
        f" when regexp_matches({text}, '^[0-9]{{13}}([.]0*)?$')"
        f" then epoch_ms({text}[:13]::bigint)"
        f" when regexp_matches({text}, '^[0-9]{{10}}([.]0*)?$')"
        f" then epoch_ms({text}[:10]::bigint * 1000)"
        f" when regexp_matches({text}, '^[0-9]{{5}}([.][0-9]+)?$') then {_serial(text)}"
        f" when regexp_matches({text}, '^[0-9]{{8}}([0-9]{{4}}([0-9]{{2}})?)?$')"
        f" then {_compact(text)}"
        f" when regexp_matches({text}, '{_WRITTEN}') then {_written(text)}"
        " end"
    )


def _serial(text: str) -> str:
    """Days since 1899-12-30; readers convert workbooks that count from 1904."""
    return (
        "timestamp '1899-12-30 00:00:00'"
        f" + to_seconds(round({text}::double * 86400)::bigint) - interval '8' hour"
    )


def _compact(text: str) -> str:
    """20260305, 202603051405 and 20260305140500."""
    return f"try_strptime(rpad({text}, 14, '0'), '%Y%m%d%H%M%S') - interval '8' hour"


def _written(text: str) -> str:
    names = ", ".join(f"'{name}'" for name in _GROUPS)
    parts = f"regexp_extract({text}, '{_WRITTEN}', [{names}])"
    return f"list_transform([{parts}], lambda p: {_from_parts('p')})[1]"


def _from_parts(p: str) -> str:
    def number(name: str) -> str:
        return f"coalesce(try_cast({p}.{name} as integer), 0)"

    hour = number("h")
    half = f"upper(concat({p}.half, {p}.half2))"
    offset_minutes = f"coalesce(try_cast(rpad(nullif({p}.zm, ''), 2, '0') as integer), 0)"
    return (
        f"case when {hour} <= 24 and {number('mi')} <= 59 and {number('s')} <= 59 then"
        f" try_cast(concat({p}.y, '-', lpad({p}.mo, 2, '0'), '-', lpad({p}.d, 2, '0')) as date)"
        "::timestamp"
        f" + case when {half} in ('下午', 'PM') and {hour} < 12 then {hour} + 12"
        f" when {half} = '中午' and {hour} < 4 then {hour} + 12"
        f" when {half} = '晚上' and {hour} <= 12 then {hour} + 12"
        f" when {half} in ('上午', '凌晨', '早上', 'AM') and {hour} = 12 then 0"
        f" else {hour} end * interval '1' hour"
        f" + {number('mi')} * interval '1' minute + {number('s')} * interval '1' second"
        f" - case when {p}.zone = '' then 480 else"
        f" case when {p}.sign = '-' then -1 else 1 end"
        f" * ({number('zh')} * 60 + {offset_minutes}) end * interval '1' minute end"
    )
