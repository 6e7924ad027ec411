"""The declared limits of drift: what always holds, and how each measure's band is learned."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import cast

from zhongtai.contracts.document import Section
from zhongtai.errors import ConfigurationError
from zhongtai.quality.drift.bands import Compare, Rule, Scale, Side
from zhongtai.settings import Settings

_HINT = "expectations/drift.yml holds the limits, each with its reason"

_BAND = ("measures", "compare", "scale", "least", "most", "ignore", "side", "may_rest", "because")


@dataclass(frozen=True)
class Limits:
    """`at_most` by measure, and the rule of a band by pattern of measures; the first one counts."""

    at_most: Mapping[str, float]
    rules: tuple[tuple[str, Rule], ...]

    def rule_of(self, measure: str) -> Rule | None:
        """How the measure is judged; None where it is only told."""
        return next((rule for pattern, rule in self.rules if fnmatchcase(measure, pattern)), None)


def load_limits(settings: Settings, known: frozenset[str]) -> Limits:
    """Read expectations/drift.yml. Raises ConfigurationError with file and line.

    `known` are the measures that may have a limit.
    """
    file = settings.project_dir / "expectations" / "drift.yml"
    if not file.exists():
        raise ConfigurationError(f"{file} is missing", hint=_HINT)
    top = Section.of_file(file, "the limits", _HINT)
    top.expect_keys(("limits", "bands"))
    at_most = {}
    for part in top.sections("limits"):
        part.expect_keys(("measure", "at_most", "because"))
        part.text("because")
        at_most[part.choice("measure", sorted(known))] = _number(part, "at_most")
    rules = []
    for part in top.sections("bands"):
        part.expect_keys(_BAND)
        part.text("because")
        rule = _read_rule(part)
        rules += [(pattern, rule) for pattern in part.texts("measures")]
    return Limits(at_most, tuple(rules))


def _read_rule(part: Section) -> Rule:
    least, most = _number(part, "least"), _number(part, "most")
    scale = part.choice("scale", ("ratio", "difference"))
    lowest = 1.0 if scale == "ratio" else 0.0
    if not lowest < least <= most:
        raise part.error_at("least", f"{part.title}: expected {lowest:g} < least <= most")
    return Rule(
        compare=cast("Compare", part.choice("compare", ("last", "history"))),
        scale=cast("Scale", scale),
        least=least,
        most=most,
        ignore=_number(part, "ignore") if "ignore" in part else 0.0,
        side=cast("Side", part.choice("side", ("both", "above"))) if "side" in part else "both",
        may_rest=part.flag("may_rest") if "may_rest" in part else False,
    )


def _number(part: Section, key: str) -> float:
    value = part.value(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise part.error_at(key, f"{part.title}: {key} must be a number")
    return float(value)
