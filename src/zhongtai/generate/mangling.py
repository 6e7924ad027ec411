"""Single cells written badly: each function returns the bad text and what can be made of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from zhongtai.generate.names import NULL_WORDS, PLACEHOLDER_PHONES
from zhongtai.generate.timeline import DAY, LOCAL

Mangled = tuple[str, Any] | None
FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
ZERO_WIDTH = "\u200b"
UNDECODABLE = "\ue000"  # the writers replace it by a byte that no encoding knows
FORMULA = "=cmd|'/C calc'!A0"
EXCEL_EPOCH = datetime(1899, 12, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Mangling:
    """A kind of dirt on cells of some column kinds.

    `write(value, number)` gets the clean value (text, UTC seconds, days, fen) and a running
    number; it returns the text and the value that a careful reader gets (None: nothing usable),
    or None where it does not apply. `lossy` ones lose the value or a part of it.
    """

    name: str
    kinds: tuple[str, ...]
    write: Callable[[Any, int], Mangled]
    lossy: bool = False


def _blank(value: str, number: int) -> Mangled:
    return (f" {value}  " if number % 2 else f"{value} "), value


def _zero_width(value: str, number: int) -> Mangled:  # noqa: ARG001
    return value[:1] + ZERO_WIDTH + value[1:], value


def _apostrophe(value: str, number: int) -> Mangled:  # noqa: ARG001
    return f"'{value}", value


def _full_width(value: str, number: int) -> Mangled:  # noqa: ARG001
    return value.translate(FULL_WIDTH), value


def _cut(value: str, number: int) -> Mangled:  # noqa: ARG001
    return (value[:30], value[:30]) if len(value) > 30 else None


def _formula(value: str, number: int) -> Mangled:  # noqa: ARG001
    return FORMULA, None


def _undecodable(value: str, number: int) -> Mangled:  # noqa: ARG001
    return value + UNDECODABLE, value


def _plus86(value: str, number: int) -> Mangled:  # noqa: ARG001
    return f"+86 {value[:3]}-{value[3:7]}-{value[7:]}", value


def _plain86(value: str, number: int) -> Mangled:  # noqa: ARG001
    return f"86{value}", value


def _full_width_plus86(value: str, number: int) -> Mangled:  # noqa: ARG001
    return f"＋86{value}".translate(FULL_WIDTH), value


def _masked_phone(value: str, number: int) -> Mangled:  # noqa: ARG001
    return f"{value[:3]}****{value[7:]}", None


def _scientific(value: str, number: int) -> Mangled:  # noqa: ARG001
    return f"{int(value):.2E}", None


def _landline(value: str, number: int) -> Mangled:
    return (f"021-6{value[4:]}" if number % 2 else f"(0755) 8{value[4:]}"), None


def _placeholder(value: str, number: int) -> Mangled:  # noqa: ARG001
    return PLACEHOLDER_PHONES[number % len(PLACEHOLDER_PHONES)], None


def _masked_card(value: str, number: int) -> Mangled:  # noqa: ARG001
    return f"{value[:6]}{'*' * 8}{value[14:]}", None


def _lower(value: str, number: int) -> Mangled:  # noqa: ARG001
    return None if value == value.lower() else (value.lower(), value)


def _mistyped_vin(value: str, number: int) -> Mangled:
    typed = {"0": "Q" if number % 2 else "O", "1": "I"}
    return "".join(typed.get(letter, letter) for letter in value), value


def _short_vin(value: str, number: int) -> Mangled:  # noqa: ARG001
    return value[:16], None


def _long_vin(value: str, number: int) -> Mangled:  # noqa: ARG001
    return value + "7", None


def local(seconds: int) -> datetime:
    """Return the local wall time of UTC seconds."""
    return datetime.fromtimestamp(seconds + LOCAL, tz=UTC)


def _slashes(seconds: int, number: int) -> Mangled:  # noqa: ARG001
    at = local(seconds)
    return f"{at.year}/{at.month}/{at.day} {at.hour}:{at.minute:02d}", seconds - at.second


def _chinese(seconds: int, number: int) -> Mangled:  # noqa: ARG001
    at = local(seconds)
    half, hour = ("下午" if at.hour >= 12 else "上午"), at.hour % 12 or 12
    text = f"{at.year}年{at.month}月{at.day}日 {half}{hour}:{at.minute:02d}"
    return text, seconds - at.second


def _serial(seconds: int, number: int) -> Mangled:  # noqa: ARG001
    return repr((local(seconds) - EXCEL_EPOCH) / timedelta(days=1)), seconds


def _epoch_ms(seconds: int, number: int) -> Mangled:  # noqa: ARG001
    return str(seconds * 1000), seconds


def _epoch_s(seconds: int, number: int) -> Mangled:  # noqa: ARG001
    return str(seconds), seconds


def _zero_date(value: int, number: int) -> Mangled:  # noqa: ARG001
    return ("0000-00-00 00:00:00" if number % 2 else "0000-00-00"), None


def _day(days: int) -> datetime:
    return datetime.fromtimestamp(days * DAY, tz=UTC)


def _eight_digits(days: int, number: int) -> Mangled:  # noqa: ARG001
    return _day(days).strftime("%Y%m%d"), days


def _slashed_day(days: int, number: int) -> Mangled:  # noqa: ARG001
    at = _day(days)
    return f"{at.year}/{at.month}/{at.day}", days


def _chinese_day(days: int, number: int) -> Mangled:  # noqa: ARG001
    at = _day(days)
    return f"{at.year}年{at.month}月{at.day}日", days


def _serial_day(days: int, number: int) -> Mangled:  # noqa: ARG001
    return str((_day(days) - EXCEL_EPOCH).days), days


def _impossible_day(days: int, number: int) -> Mangled:  # noqa: ARG001
    return "2099-12-31", None


def _thousands(fen: int, number: int) -> Mangled:  # noqa: ARG001
    return f"{fen / 100:,.2f}元", fen


def _ten_thousands(fen: int, number: int) -> Mangled:  # noqa: ARG001
    return (f"{fen / 1_000_000:g}万", fen) if fen % 10_000 == 0 and fen > 10**6 else None


def _grouped(value: float, number: int) -> Mangled:  # noqa: ARG001
    return (f"{int(value):,}", value) if value >= 1_000 and value == int(value) else None


def _wide_number(value: float, number: int) -> Mangled:  # noqa: ARG001
    return (str(int(value)).translate(FULL_WIDTH), value) if value == int(value) else None


def _flag(value: bool, number: int) -> Mangled:
    words = (("是", "否"), ("1", "0"), ("是 ", "否 "))[number % 3]
    return words[0 if value else 1], value


def null_word(number: int) -> str:
    """Return one of the words that stand for nothing."""
    return NULL_WORDS[number % len(NULL_WORDS)]


TEXTS = ("name", "text", "code", "mobile", "email", "id_card")
MANGLINGS = (
    Mangling("blanks", (*TEXTS, "vin", "enum", "key"), _blank),
    Mangling("zero_width", ("name", "text", "mobile", "code"), _zero_width),
    Mangling("apostrophe", ("mobile", "code", "id_card"), _apostrophe),
    Mangling("full_width", ("mobile", "code", "id_card"), _full_width),
    Mangling("cut_at_30", ("text",), _cut, lossy=True),
    Mangling("formula", ("text",), _formula, lossy=True),
    Mangling("undecodable_bytes", ("text",), _undecodable, lossy=True),
    Mangling("plus86_spaced", ("mobile",), _plus86),
    Mangling("plain86", ("mobile",), _plain86),
    Mangling("full_width_plus86", ("mobile",), _full_width_plus86),
    Mangling("masked_phone", ("mobile",), _masked_phone, lossy=True),
    Mangling("scientific_phone", ("mobile",), _scientific, lossy=True),
    Mangling("landline", ("mobile",), _landline, lossy=True),
    Mangling("placeholder_phone", ("mobile",), _placeholder, lossy=True),
    Mangling("masked_id_card", ("id_card",), _masked_card, lossy=True),
    Mangling("lower_case", ("vin", "id_card"), _lower),
    Mangling("vin_o_i_q", ("vin",), _mistyped_vin),
    Mangling("vin_16", ("vin",), _short_vin, lossy=True),
    Mangling("vin_18", ("vin",), _long_vin, lossy=True),
    Mangling("time_slashes", ("ts",), _slashes, lossy=True),
    Mangling("time_chinese", ("ts",), _chinese, lossy=True),
    Mangling("time_serial", ("ts",), _serial),
    Mangling("time_epoch_ms", ("ts",), _epoch_ms),
    Mangling("time_epoch_s", ("ts",), _epoch_s),
    Mangling("time_zero", ("ts", "date"), _zero_date, lossy=True),
    Mangling("date_eight_digits", ("date",), _eight_digits),
    Mangling("date_slashes", ("date",), _slashed_day),
    Mangling("date_chinese", ("date",), _chinese_day),
    Mangling("date_serial", ("date",), _serial_day),
    Mangling("date_out_of_range", ("date",), _impossible_day, lossy=True),
    Mangling("money_thousands", ("yuan",), _thousands),
    Mangling("money_ten_thousands", ("yuan",), _ten_thousands),
    Mangling("number_thousands", ("num", "int"), _grouped),
    Mangling("number_full_width", ("num", "int"), _wide_number),
    Mangling("flag_spellings", ("bool",), _flag),
)
