"""Whether two spellings may be one person's name.

Only a contradiction between two full names is evidence against a link: a masked name, a surname
with a title or a cut cell agrees with all that it may stand for.
"""

import re
from collections.abc import Callable, Sequence

# Surnames of two characters: with a title behind them they are no full name.
_COMPOUND = frozenset(
    (
        *("欧阳", "司马", "上官", "诸葛", "夏侯", "东方", "皇甫", "尉迟", "公孙", "慕容"),
        *("令狐", "宇文", "长孙", "司徒", "端木", "淳于", "单于", "南宫", "独孤", "轩辕"),
    )
)
_TITLES = "(先生|女士|小姐|太太|师傅|老师|经理|老板|总|哥|姐)$|^(mr|mrs|ms|miss|dr) "
_HAN = re.compile(r"^[\u3400-\u9fff\U00020000-\U0003ffff]+$")

Sound = Callable[[str], Sequence[str]]


def is_full_name(name: str) -> bool:
    """Whether the name says more than a surname: only such names can contradict."""
    if not name or "*" in name:
        return False
    if _HAN.match(name):
        return len(name) >= 2 and name not in _COMPOUND
    return len(name) >= 3


def names_agree(left: str, right: str, sound: Sound = list) -> bool:
    """Whether two name keys may be one person's.

    Equal, cut, a part of the other (surname, given name left out), or sounding the same:
    `sound` gives the syllables of a name, one for each character, without tones.
    """
    if left == right or not is_full_name(left) or not is_full_name(right):
        return True
    if left.startswith(right) or right.startswith(left):
        return True
    return _spoken(left, sound) == _spoken(right, sound)


def _spoken(name: str, sound: Sound) -> tuple[str, ...]:
    """Surname and given name as pronounced, in no order: `Wei Zhang` is `Zhang Wei`."""
    if name.isascii():
        return tuple(sorted(re.findall("[a-z]+", name.lower())))
    syllables = sound(name)
    surname = 2 if name[:2] in _COMPOUND and len(name) > 2 else 1
    return tuple(sorted(("".join(syllables[:surname]), "".join(syllables[surname:]))))


def name_key_sql(column: str) -> str:
    """SQL (DuckDB) that spells a name in the one way names are compared in.

    Lower case; no blanks or dots within Chinese names, single ones within others; no title.
    """
    tidy = f"trim(lower({column}))"
    han = f"regexp_replace({tidy}, '[\\s·•.]+', '', 'g')"
    latin = f"regexp_replace({tidy}, '[\\s.,]+', ' ', 'g')"
    spelled = f"case when regexp_full_match({tidy}, '[ -~]*') then {latin} else {han} end"
    return f"nullif(trim(regexp_replace({spelled}, '{_TITLES}', '')), '')"


def full_name_sql(key: str) -> str:
    """SQL (DuckDB) that is `is_full_name` of a name key."""
    compound = ", ".join(f"'{name}'" for name in sorted(_COMPOUND))
    han = f"regexp_full_match({key}, '[\\x{{3400}}-\\x{{9fff}}\\x{{20000}}-\\x{{3ffff}}]+')"
    return (
        f"coalesce(not contains({key}, '*') and case when {han} then length({key}) >= 2"
        f" and {key} not in ({compound}) else length({key}) >= 3 end, false)"
    )
