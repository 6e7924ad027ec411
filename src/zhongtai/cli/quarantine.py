"""Commands about what was set aside: list, show, replay."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from zhongtai.cli.options import AsJson, Home, Landing, open_home
from zhongtai.cli.output import reporting, say, say_json, say_table
from zhongtai.cli.server import server_on_demand
from zhongtai.errors import ConfigurationError

if TYPE_CHECKING:
    from zhongtai.quarantine import Selection
    from zhongtai.settings import Settings

Source = Annotated[str | None, typer.Option("--source", help="Only this source.")]
Entity = Annotated[str | None, typer.Option("--entity", help="Only this entity.")]
Rule = Annotated[str | None, typer.Option("--rule", help="Only what broke this rule.")]
Delivery = Annotated[str | None, typer.Option("--delivery", help="Only this delivery.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(
        no_args_is_help=True, help="What was set aside and why; replay after a fix."
    )
    group.command("list")(list_items)
    group.command("show")(show)
    group.command("replay")(replay)
    app.add_typer(group, name="quarantine", rich_help_panel="Look")


def _select(
    settings: "Settings",
    source: str | None,
    entity: str | None,
    delivery: str | None = None,
    rule: str | None = None,
) -> "Selection":
    """Raises ConfigurationError for what no contract names, and for an unknown rule."""
    from zhongtai.contracts import load_contracts
    from zhongtai.quarantine import Selection, expect_rule

    contracts = load_contracts(settings.project_dir)
    among = contracts.of_source(source) if source else tuple(contracts.values())
    entities = sorted({contract.entity for contract in among})
    if entity and entity not in entities:
        raise ConfigurationError(
            f"there is no entity {entity!r}" + (f" of source {source}" if source else ""),
            hint=f"known: {', '.join(entities)}",
        )
    if rule:
        expect_rule(settings, contracts, rule)
    return Selection(source, entity, delivery, rule)


def list_items(  # noqa: PLR0913, PLR0917  # one parameter per option
    home: Home = None,
    source: Source = None,
    entity: Entity = None,
    rule: Rule = None,
    warnings: Annotated[
        bool, typer.Option("--warnings", help="Also what was loaded with a warning.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What is set aside, by delivery and rule, the newest first.

    **Examples**

        zhongtai quarantine list --home .zhongtai

        zhongtai quarantine list --source crm --rule key_missing --json
    """
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai import quarantine

        selection = _select(settings, source, entity, rule=rule)
        items = quarantine.list_(settings, selection, with_warnings=warnings)
    if as_json:
        say_json([{**asdict(item), "advice": item.advice} for item in items])
        return
    say_table(
        ("delivery", "file", "level", "rule", "column", "rows", "reason"),
        [(i.delivery_id, i.file, i.level, i.rule, i.column, i.rows, i.reason) for i in items],
    )
    for broken, advice in sorted({item.rule: item.advice for item in items}.items()):
        say(f"{broken}: {advice}")
    say(f"{sum(item.rows for item in items)} rows set aside" if items else "nothing is set aside")


def show(
    delivery: Annotated[str, typer.Argument(help="Id that `zhongtai quarantine list` shows.")],
    home: Home = None,
    rule: Rule = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many rows.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The rows of a delivery that are set aside, as delivered. This is personal data.

    **Examples**

        zhongtai quarantine show 1f0c… --limit 5 --home .zhongtai
    """
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai import quarantine

        selection = _select(settings, None, None, delivery, rule)
        rows = quarantine.show(settings, delivery, rule=selection.rule, limit=limit)
        files = quarantine.list_(settings, quarantine.Selection(delivery_id=delivery))
    if as_json:
        say_json([asdict(row) for row in rows])
        return
    for item in files:
        if item.level == "file":
            say(f"the whole file is set aside: {item.rule}, {item.reason}")
            say(f"  what to do: {item.advice}")
    for row in rows:
        say(f"line {row.line}: {row.rule} {row.column}: {row.reason}\n  {row.original}")
    if not rows and not files:
        say("nothing of this delivery is set aside")


def replay(  # noqa: PLR0913, PLR0917  # one parameter per option
    home: Home = None,
    landing: Landing = None,
    source: Source = None,
    entity: Entity = None,
    delivery: Delivery = None,
    rule: Rule = None,
    as_json: AsJson = False,
) -> None:
    """Judge again what is set aside, by the contracts as they are now. Each row loads once.

    **Examples**

        zhongtai quarantine replay --source crm --entity leads --home .zhongtai
    """
    settings = open_home(home, landing)
    with server_on_demand(settings), reporting(quiet=as_json) as progress:
        from zhongtai import pipeline

        selection = _select(settings, source, entity, delivery, rule)
        report = pipeline.replay(settings, selection, progress)
    if as_json:
        say_json(asdict(report))
        return
    say(
        f"{report.rows_loaded} rows loaded, {report.rows_duplicate} duplicate,"
        f" {report.rows_refused} still refused; {report.files_loaded} whole files loaded,"
        f" {report.files_refused} still refused"
    )
