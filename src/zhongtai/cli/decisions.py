"""Commands about decisions: made, taken back and listed, and the queue that asks for them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from zhongtai.cli.options import AsJson, Because, Home, open_home
from zhongtai.cli.output import say, say_json, say_table
from zhongtai.cli.server import server_on_demand
from zhongtai.errors import ConfigurationError

if TYPE_CHECKING:
    from zhongtai.identity.decisions import Decision, Kind
    from zhongtai.identity.review_queue import ReviewPair, ReviewQueue
    from zhongtai.settings import Settings

Record = Annotated[str, typer.Argument(help="SOURCE:ENTITY:KEY, for instance crm:leads:L-1.")]
Author = Annotated[
    str | None, typer.Option("--author", help="Who decides. Default: the user of this computer.")
]
_MERGE = """Record that two records are one person, whatever contradicts it.

**Examples**

    zhongtai identity merge crm:leads:L-1 dms:orders:O-7 --because "signed by both"

    zhongtai identity merge crm:leads:L-1 crm:leads:L-2 --because "ticket 88" --author mei
"""
_SPLIT = """Record that two records are two persons, whatever joins them.

**Examples**

    zhongtai identity split crm:leads:L-1 dms:orders:O-7 --because "father and son"
"""
_NEXT = "the next `zhongtai run` (or build and publish) applies it"


def make_decisions() -> typer.Typer:
    """`zhongtai identity` with its commands."""
    decisions = typer.Typer(no_args_is_help=True, help="Recorded decisions about who is who.")
    decisions.command("merge", help=_MERGE)(_deciding("merge"))
    decisions.command("split", help=_SPLIT)(_deciding("split"))
    for command in (undo, review):
        decisions.command()(command)
    decisions.command("list")(list_recorded)
    return decisions


def _deciding(kind: "Kind") -> Callable[..., None]:
    """The command that records a decision of this kind about two records."""

    def command(  # noqa: PLR0913, PLR0917  # one parameter per option
        record: Record,
        other_record: Record,
        because: Because,
        author: Author = None,
        home: Home = None,
        as_json: AsJson = False,
    ) -> None:
        from zhongtai.identity.references import parse_reference

        references = parse_reference(record), parse_reference(other_record)
        settings = open_home(home)
        with server_on_demand(settings):
            from zhongtai.identity.decisions import decide

            made = decide(
                settings, kind, *references, author=author or current_user(), because=because
            )
        _say_decision(made, f"recorded: {made}; {_NEXT}", as_json)

    return command


def undo(
    decision: Annotated[int, typer.Argument(help="Number of the decision.")],
    because: Because,
    author: Author = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take a recorded decision back; who was who before it is so again.

    **Examples**

        zhongtai identity undo 12 --because "mixed up two customers"
    """
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai.identity.decisions import undo_decision

        undone = undo_decision(settings, decision, author=author or current_user(), because=because)
    _say_decision(undone, f"undone: {undone}; {_NEXT}", as_json)


def list_recorded(
    every: Annotated[
        bool, typer.Option("--all", help="Also those that were undone or decided anew.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """The decisions that hold, oldest first.

    **Examples**

        zhongtai identity list --home .zhongtai

        zhongtai identity list --all --json
    """
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai.identity.decisions import list_decisions

        decisions = list_decisions(settings, with_undone=every)
    if as_json:
        say_json([_as_dict(decision) for decision in decisions])
        return
    say_table(
        ("id", "kind", "record", "other record", "author", "decided (UTC)", "because", "undone"),
        [
            (
                d.decision_id,
                d.kind,
                str(d.left),
                str(d.right),
                d.author,
                f"{d.decided_at:%Y-%m-%d %H:%M}",
                d.reason,
                f"{d.undone_at:%Y-%m-%d %H:%M} by {d.undone_by}: {d.undone_because}"
                if d.undone_at
                else None,
            )
            for d in decisions
        ],
    )
    if not decisions:
        say("nothing is decided")


def review(  # noqa: PLR0913, PLR0917  # one parameter per option
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="PAIR", help="One person; may be given several times."),
    ] = None,
    reject: Annotated[
        list[str] | None,
        typer.Option("--reject", metavar="PAIR", help="Two persons; may be given several times."),
    ] = None,
    because: Annotated[
        str | None, typer.Option("--because", help="Why, with --accept or --reject; recorded.")
    ] = None,
    author: Author = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many pairs to show.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Pairs that may be one person, the most probable first, with masked values; or decide them.

    **Examples**

        zhongtai identity review --limit 5

        zhongtai identity review --accept 3f9a1c2b7d4e --because "same signature" --author mei

        zhongtai identity review --reject 3f9a1c2b7d4e --because "sisters"
    """
    answers = [(pair, True) for pair in accept or []] + [(pair, False) for pair in reject or []]
    settings = open_home(home)
    if answers:
        _refuse_unclear(answers, because)
        _answer(settings, answers, (author or current_user(), because or ""), as_json)
        return
    if because is not None:
        raise ConfigurationError(
            "--because was given without a pair",
            hint="say which pair: --accept PAIR or --reject PAIR",
        )
    with server_on_demand(settings):
        from zhongtai.identity.review_queue import read_review_queue

        queue = read_review_queue(settings, limit)
    if as_json:
        say_json({"waiting": queue.waiting, "pairs": [_pair_as_dict(pair) for pair in queue.pairs]})
    else:
        _say_queue(queue)


def _refuse_unclear(answers: list[tuple[str, bool]], because: str | None) -> None:
    pairs = [pair for pair, _ in answers]
    repeated = next((pair for pair in pairs if pairs.count(pair) > 1), None)
    if repeated:
        raise ConfigurationError(
            f"pair {repeated} was given twice", hint="accept a pair or reject it, once"
        )
    if because is None:
        raise ConfigurationError(
            "the reason is missing: nothing was recorded", hint='add --because "…"'
        )


def _answer(
    settings: "Settings",
    answers: list[tuple[str, bool]],
    author_and_reason: tuple[str, str],
    as_json: bool,
) -> None:
    """Record each answer; none where one of the pairs does not wait for one."""
    author, because = author_and_reason
    made = []
    with server_on_demand(settings):
        from zhongtai.identity.review_queue import decide_pair, find_pair

        for pair, _ in answers:
            find_pair(settings, pair)
        for pair, is_one_person in answers:
            made.append(
                decide_pair(
                    settings, pair, is_one_person=is_one_person, author=author, because=because
                )
            )
            if not as_json:
                say(f"recorded: {made[-1]}; {_NEXT}")
    if as_json:
        say_json([_as_dict(decision) for decision in made])


def _say_queue(queue: "ReviewQueue") -> None:
    for pair in queue.pairs:
        say(f"{pair.pair_id}  {pair.probability:.4f}  {pair.explanation}")
        say_table(
            ("", str(pair.left), str(pair.right), "agreement", "weight"),
            [
                ("  " + c.comparison, c.value, c.other_value, c.agreement, f"{c.weight:+.1f}")
                for c in pair.comparisons
            ],
        )
        say("")
    say(f"{queue.waiting:,} pairs wait for a decision, {len(queue.pairs):,} are shown")


def _pair_as_dict(pair: "ReviewPair") -> dict[str, object]:
    return {
        "pair": pair.pair_id,
        "record": str(pair.left),
        "other_record": str(pair.right),
        "probability": pair.probability,
        "reason": pair.reason,
        "comparisons": [
            {
                "comparison": c.comparison,
                "agreement": c.agreement,
                "weight": c.weight,
                "value": c.value,
                "other_value": c.other_value,
            }
            for c in pair.comparisons
        ],
    }


def _say_decision(decision: "Decision", text: str, as_json: bool) -> None:
    if as_json:
        say_json(_as_dict(decision))
    else:
        say(text)


def _as_dict(decision: "Decision") -> dict[str, object]:
    return {
        "decision_id": decision.decision_id,
        "kind": decision.kind,
        "record": str(decision.left),
        "other_record": str(decision.right),
        "author": decision.author,
        "because": decision.reason,
        "decided_at": decision.decided_at,
        "undone_at": decision.undone_at,
        "undone_by": decision.undone_by,
        "undone_because": decision.undone_because,
    }


def current_user() -> str:
    """The name of who runs the command."""
    import os
    import pwd

    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        # a container may run as a number that has no name
        return f"user {number}"
