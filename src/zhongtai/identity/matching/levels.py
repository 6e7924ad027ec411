"""The levels of each comparison: from full agreement down to disagreement, as SQL conditions."""

from collections.abc import Collection
from dataclasses import dataclass

from zhongtai.identity.matching.declaration import Comparison, Declaration


@dataclass(frozen=True)
class Level:
    """One outcome of a comparison. `frequency` names the column of term frequencies, if any."""

    label: str
    condition: str
    frequency: str | None = None


def levels_of(comparison: Comparison, list_columns: Collection[str] = ()) -> tuple[Level, ...]:
    """The outcomes of a comparison, best first; where none holds the two rows differ.

    `list_columns` names the columns of the input that hold lists; the labels do not depend on it.

    Splink numbers them from the number of levels down to 0 (differ); -1 means that a side is
    missing.
    """
    name = comparison.name
    if comparison.kind == "place":
        return _place(name, comparison, list_columns)
    build = {
        "text": _text,
        "date": _date,
        "list": _list,
        "mobile": _mobile,
        "chinese_name": _chinese_name,
    }[comparison.kind]
    return build(name, comparison)


def missing_condition(comparison: Comparison) -> str:
    """When a comparison says nothing: no attribute of it is known on both sides."""
    parts = {
        "text": ("value",),
        "date": ("value",),
        "list": ("value",),
        "mobile": ("tail",),
        "chinese_name": ("text",),
        "place": comparison.columns,
    }[comparison.kind]
    known = (
        f"({_side(f'{comparison.name}__{part}', 'l')} is not null"
        f" and {_side(f'{comparison.name}__{part}', 'r')} is not null)"
        for part in parts
    )
    return f"not ({' or '.join(known)})"


def weighed_features(comparison: Comparison) -> tuple[str, ...]:
    """The features whose frequency an agreement level is weighed by."""
    if not comparison.term_frequencies:
        return ()
    parts = ("text", "pinyin") if comparison.kind == "chinese_name" else ("value",)
    return tuple(f"{comparison.name}__{part}" for part in parts)


def level_labels(declaration: Declaration) -> dict[str, dict[int, str]]:
    """What the numbers in the `level_` columns of scored pairs mean, per comparison."""
    labels = {}
    for comparison in declaration.comparisons:
        levels = levels_of(comparison)
        numbered = {len(levels) - place: level.label for place, level in enumerate(levels)}
        labels[comparison.name] = {**numbered, 0: "different", -1: "missing"}
    return labels


def _text(name: str, comparison: Comparison) -> tuple[Level, ...]:
    left, right = _sides(f"{name}__value")
    levels = [Level("equal", f"{left} = {right}", next(iter(weighed_features(comparison)), None))]
    levels += [
        Level(f"similar {least:g}", f"jaro_winkler_similarity({left}, {right}) >= {least}")
        for least in comparison.similar
    ]
    levels += [
        Level(f"{most} edits", f"damerau_levenshtein({left}, {right}) <= {most}")
        for most in comparison.edits
    ]
    return tuple(levels)


def _date(name: str, comparison: Comparison) -> tuple[Level, ...]:
    del comparison
    left, right = _sides(f"{name}__value")
    digits_left, digits_right = _sides(f"{name}__digits")
    swapped_right = _side(f"{name}__swapped", "r")
    return (
        Level("equal", f"{left} = {right}"),
        Level(
            "one slip",
            f"damerau_levenshtein({digits_left}, {digits_right}) <= 1"
            f" or {digits_left} = {swapped_right}",
        ),
        Level("within a year", f"abs({left} - {right}) <= 366"),
    )


def _list(name: str, comparison: Comparison) -> tuple[Level, ...]:
    del comparison
    left, right = _sides(f"{name}__value")
    return (Level("shared", f"list_has_any({left}, {right})"),)


def _mobile(name: str, comparison: Comparison) -> tuple[Level, ...]:
    del comparison
    full_left, full_right = _sides(f"{name}__full")
    tail_left, tail_right = _sides(f"{name}__tail")
    masked_left, masked_right = _sides(f"{name}__masked")
    only_left, only_right = _sides(f"{name}__only")
    return (
        Level("equal", f"list_has_any({full_left}, {full_right})"),
        # two full numbers that agree in their ends only are two numbers
        Level(
            "masked equal",
            f"list_has_any({masked_left}, {tail_right})"
            f" or list_has_any({tail_left}, {masked_right})",
        ),
        Level("one slip", f"damerau_levenshtein({only_left}, {only_right}) = 1"),
    )


def _chinese_name(name: str, comparison: Comparison) -> tuple[Level, ...]:
    text_left, text_right = _sides(f"{name}__text")
    pinyin_left, pinyin_right = _sides(f"{name}__pinyin")
    surname_left, surname_right = _sides(f"{name}__surname")
    first_left, first_right = _sides(f"{name}__given_first")
    last_left, last_right = _sides(f"{name}__given_last")
    text, sound = weighed_features(comparison) or (None, None)
    return (
        Level("equal", f"{text_left} = {text_right} and {first_left} is not null", text),
        Level("same sound", f"{pinyin_left} = {pinyin_right} and {first_left} is not null", sound),
        Level(
            "cut",
            f"{first_left} is not null and {first_right} is not null"
            f" and (starts_with({text_left}, {text_right})"
            f" or starts_with({text_right}, {text_left}))",
        ),
        # one character wrong, missing or too many in a given name of two
        Level(
            "one character",
            f"{surname_left} = {surname_right}"
            f" and length({text_left}) + length({text_right}) >= 5"
            f" and ({first_left} = {first_right} or {last_left} = {last_right})",
        ),
        Level(
            "surname only",
            f"{surname_left} = {surname_right} and ({first_left} is null or {first_right} is null)",
        ),
    )


def _place(name: str, comparison: Comparison, list_columns: Collection[str]) -> tuple[Level, ...]:
    levels = []
    for column in comparison.columns:
        left, right = _sides(f"{name}__{column}")
        shared = f"list_has_any({left}, {right})" if column in list_columns else f"{left} = {right}"
        levels.append(Level(f"same {column}", shared))
    return tuple(levels)


def _sides(feature: str) -> tuple[str, str]:
    return _side(feature, "l"), _side(feature, "r")


def _side(feature: str, side: str) -> str:
    return f'"{feature}_{side}"'
