"""Texts of people in files that dbt renders: told, never executed."""

import re

# Jinja executes what stands between these and their other halves.
_OPENING = re.compile(r"\{(?=[{%#])")


def split_openings(text: str, between: str) -> str:
    """The text with `between` in every opening, so that none is left, however many braces meet."""
    return _OPENING.sub(lambda _: f"{{{between}", text)


def as_plain_text(text: str) -> str:
    """A description that dbt takes as it is: its openings have a blank in them."""
    return split_openings(text, " ")
