"""Commands that tell what the shared tables say of one thing, in words."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhongtai.cli.options import AsJson, Home, open_home
from zhongtai.cli.output import say, say_json, say_table
from zhongtai.errors import ConfigurationError

if TYPE_CHECKING:
    from zhongtai.assessment import Assessment

PANEL = "Look"
_ITEM_COLUMNS = ("item", "value", "held against", "score", "weight", "points")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    reports = typer.Typer(no_args_is_help=True, help="What the shared tables say, in words.")
    reports.command()(staff)
    # a group with one command only would swallow its name
    reports.callback()(_explain)
    app.add_typer(reports, name="report", rich_help_panel=PANEL)


def _explain() -> None:
    """What the shared tables say, in words."""


def staff(
    staff_id: Annotated[str, typer.Argument(help="Code of the member of staff, as in dim_staff.")],
    month: Annotated[
        str | None, typer.Option("--month", help="Month of the assessment, YYYY-MM.")
    ] = None,
    year: Annotated[str | None, typer.Option("--year", help="Year instead of a month.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """How each point of an assessment came about: values, targets or peers, weights, what lacks.

    **Examples**

        zhongtai report staff S0001 --month 2026-10

        zhongtai report staff S0001 --year 2026 --json
    """
    from zhongtai.assessment import read_assessment

    if (month is None) == (year is None):
        raise ConfigurationError("give either --month or --year", hint="for instance 2026-10")
    found = read_assessment(open_home(home), staff_id, month or year or "")
    if as_json:
        say_json(found.as_dict())
    else:
        _say_assessment(found)


def _say_assessment(found: "Assessment") -> None:
    from zhongtai.assessment import DIMENSIONS

    total = found.total
    where = [str(found.staff.get(name) or "") for name in ("role", "dealer_code")]
    place = ", ".join(word for word in [*where, total["tenure_stage"]] if word)
    say(f"{found.staff_id}  {found.period}  {place}")
    say(f"score       {_score(total)}")
    for dimension, name in DIMENSIONS.items():
        score, weight = total[f"{dimension}_score"], found.weight(dimension)
        say("")
        say(
            f"{name} {dimension}: {_points(score)} x {weight:g} = "
            f"{_points(None if score is None else score * weight)}"
            f"  (coverage {total[f'{dimension}_coverage']:.0%})"
        )
        say_table(_ITEM_COLUMNS, [_item(item) for item in found.of(dimension)])


def _score(total: "Any") -> str:
    if total["score"] is None:
        return f"none: a dimension lacks half of its weight (coverage {total['coverage']:.0%})"
    change = total["score_change"]
    trend = "" if change is None else f", {change:+.2f} since the period before"
    places = f"place {total['score_rank']} of all, {total['store_rank']} in the store"
    return f"{total['score']:.2f}  ({places}{trend}; coverage {total['coverage']:.0%})"


def _item(item: "Any") -> tuple[object, ...]:
    """The cells of one item; what is missing says so."""
    against = {
        "target": f"target {_number(item['target'])}",
        "peers": f"{item['peers']} in store and stage",
        "missing": "missing",
    }[item["basis"]]
    value = _number(item["value"])
    if item["item_den"] is not None:
        value += f" = {_number(item['item_num'])}/{_number(item['item_den'])}"
    share = item["item_share"]
    return (
        item["item"],
        value,
        against,
        _points(item["item_score"]),
        "" if share is None else f"{share:.0%}",
        _points(item["points"]),
    )


def _points(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _number(value: float | None) -> str:
    if value is None:
        return "none"
    return f"{value:.0f}" if value == int(value) else f"{value:.4g}"
