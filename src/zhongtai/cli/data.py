"""Commands that write files: sample exports, models of staging and tags, the page of metrics."""

from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from zhongtai.cli.options import AsJson, Home, make_settings
from zhongtai.cli.output import reporting, say, say_json
from zhongtai.errors import ConfigurationError

PANEL = "Extend"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    generate = typer.Typer(no_args_is_help=True, help="Generate sample exports, models of tags …")
    for command in (exports, staging, tags, docs, semantics):
        generate.command()(command)
    app.add_typer(generate, name="generate", rich_help_panel=PANEL)


def exports(  # noqa: PLR0913, PLR0917  # one parameter per option
    out: Annotated[Path, typer.Option("--out", help="A folder that is empty or new.")],
    people: Annotated[int, typer.Option("--people", min=50, help="How many persons.")] = 2000,
    days: Annotated[int, typer.Option("--days", min=3, help="How many days.")] = 30,
    seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal bytes.")] = 7,
    start: Annotated[
        datetime | None, typer.Option("--start", formats=["%Y-%m-%d"], help="First day.")
    ] = None,
    waves: Annotated[int, typer.Option("--waves", min=1, help="Split the deliveries.")] = 1,
    dirt: Annotated[
        float | None, typer.Option("--dirt", min=0, max=0.5, help="Share of dirty cells.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make up a carmaker's exports, with all their dirt, and the truth beside them.

    **Examples**

        zhongtai generate exports --people 2000 --days 30 --seed 7 --out exports

        zhongtai generate exports --people 500 --days 10 --waves 3 --out exports --json
    """
    from zhongtai.generate.exports import DEFAULT_DIRT, generate

    first: date | None = start.date() if start else None
    with reporting(quiet=as_json) as progress:
        progress(f"generate {people} people, {days} days")
        summary = generate(
            out,
            people=people,
            days=days,
            seed=seed,
            start=first,
            waves=waves,
            dirt=DEFAULT_DIRT if dirt is None else dirt,
        )
    if as_json:
        say_json(asdict(summary))
        return
    rows = sum(summary.rows.values())
    say(f"{summary.files} files with {rows} rows in {out}, to be run --as-of {summary.as_of}")


def staging(home: Home = None) -> None:
    """Write the dbt sources of all contracts, and a staging model for each new contract.

    **Examples**

        zhongtai generate staging
    """
    from zhongtai.contracts import load_contracts
    from zhongtai.scaffold import generate_staging

    project = make_settings(home).project_dir
    _say_written(generate_staging(project, load_contracts(project)))


def tags(
    home: Home = None,
    author: Annotated[
        str | None, typer.Option(help="Who changed what tags mean, for the registry")
    ] = None,
    because: Annotated[str | None, typer.Option(help="Why, for the registry")] = None,
) -> None:
    """Write the dbt models of the tags that seeds/tags declares.

    A tag that means something new, or that is no longer published, is entered in the registry of
    versions with author and reason; without them the change is refused.

    **Examples**

        zhongtai generate tags

        zhongtai generate tags --author "Li Wei" --because "campaign of spring"
    """
    from zhongtai.tags import write_models

    _say_written(write_models(make_settings(home), author, because))


def docs(home: Home = None) -> None:
    """Write docs/metrics.md, which says what each shared metrics table means, from the models.

    **Examples**

        zhongtai generate docs
    """
    from zhongtai.metric_pages import write_metric_page

    _say_written(write_metric_page(_find_project(home)))


def semantics(home: Home = None) -> None:
    """Write MetricFlow's semantic models and metrics from the documents of the metrics tables.

    **Examples**

        zhongtai generate semantics
    """
    from zhongtai.semantics import generate_semantics

    _say_written(generate_semantics(_find_project(home)))


def _find_project(home: Home) -> Path:
    """The folder of the declarations; raises ConfigurationError for one without a dbt project."""
    project = make_settings(home).project_dir
    if not (project / "dbt_project").is_dir():
        raise ConfigurationError(
            f"{project} holds no dbt_project/",
            hint="ZHONGTAI_PROJECT_DIR names the folder of dbt_project/, expectations/ and seeds/",
        )
    return project


def _say_written(files: list[Path]) -> None:
    for file in files:
        say(f"wrote {file}")
    if not files:
        say("everything is up to date")
