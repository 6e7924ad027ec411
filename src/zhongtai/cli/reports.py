"""Commands that tell what is kept of one thing, in words."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhongtai.cli.options import AsJson, Home, open_home
from zhongtai.cli.output import say, say_json, say_table
from zhongtai.errors import ConfigurationError, ZhongtaiError

if TYPE_CHECKING:
    from zhongtai.assessment import Assessment
    from zhongtai.erasure.reports import Report

PANEL = "Look"
_ITEM_COLUMNS = ("item", "value", "held against", "score", "weight", "points")


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    reports = typer.Typer(no_args_is_help=True, help="What is kept of one thing, in words.")
    reports.command()(staff)
    reports.command()(erasure)
    app.add_typer(reports, name="report", rich_help_panel=PANEL)


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


def erasure(
    file: Annotated[
        Path | None, typer.Argument(help="A report. Default: all reports of the home.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What erasures removed, layer by layer, and whether this home signed the report as it stands.

    Exit code 1 where a report was changed since, or comes from another home.

    **Examples**

        zhongtai report erasure

        zhongtai report erasure report-01a2.json --json
    """
    from zhongtai.erasure.reports import check_report, list_reports

    settings = open_home(home)
    found = [check_report(settings, one) for one in ([file] if file else list_reports(settings))]
    if as_json:
        say_json([{**one.content, "file": one.file, "is_genuine": one.is_genuine} for one in found])
    for one in () if as_json else found:
        _say_erasure(one)
    if not found and not as_json:
        say("nobody was erased yet")
    if changed := [str(one.file) for one in found if not one.is_genuine]:
        raise ZhongtaiError(
            f"not signed by this home as it stands: {', '.join(changed)}",
            hint="somebody changed it, or the key in <home>/erasure is another one: take the report"
            " and the key from a backup",
        )


def _say_erasure(report: "Report") -> None:
    asked = ", ".join(str(one["erasure_id"]) for one in report.content["erasures"])
    state = "genuine" if report.is_genuine else "NOT GENUINE"
    say(f"{report.file.name}  {state}  completed {report.content.get('completed_at')}")
    say(f"erasures   {asked}")
    say_table(("layer", "removed"), list(report.content["counts"].items()))
    for name, what in (("landing", "landed file"), ("destinations", "handed out")):
        for place in report.content.get(name, ()):
            say(f"{what}: {place}")


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
