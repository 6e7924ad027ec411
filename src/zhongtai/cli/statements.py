"""Commands about tags that people set by hand: set, clear, statements."""

from typing import TYPE_CHECKING, Annotated

import typer

from zhongtai.cli.decisions import Author, current_user
from zhongtai.cli.options import AsJson, Because, Home, open_home, parse_as_of
from zhongtai.cli.output import say, say_json, say_table
from zhongtai.cli.server import server_on_demand

if TYPE_CHECKING:
    from zhongtai.tags.manual import Statement

TagId = Annotated[str, typer.Argument(metavar="TAG", help="Id of the tag.")]
Person = Annotated[
    str,
    typer.Argument(
        metavar="PERSON",
        help="A one_id, a record as SOURCE:ENTITY:KEY, or an identifier as TYPE=VALUE.",
    ),
]
_NEXT = "the next `zhongtai run` (or build and publish) applies it"


def set_tag(  # noqa: PLR0913, PLR0917  # one parameter per option
    tag: TagId,
    person: Person,
    because: Because,
    value: Annotated[
        str, typer.Option("--value", help="Its value; of a tag of yes or no: yes.")
    ] = "true",
    expires: Annotated[
        str | None, typer.Option("--expires", help="Until when: a date or an ISO time.")
    ] = None,
    author: Author = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give a person a tag by hand. It follows what was named through merges and splits.

    **Examples**

        zhongtai tags set vip crm:contacts:C-1 --because "board member" --expires 2027-01-01

        zhongtai tags set care_level mobile=13812345678 --value A --because "ticket 88"
    """
    _state(tag, person, value, (author, because, expires), (home, as_json))


def clear(  # noqa: PLR0913, PLR0917  # one parameter per option
    tag: TagId,
    person: Person,
    because: Because,
    author: Author = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Take a tag that was set by hand, delivered or not, from a person.

    **Examples**

        zhongtai tags clear vip u_0190f2… --because "left the company"
    """
    _state(tag, person, None, (author, because, None), (home, as_json))


def _state(
    tag: str,
    person: str,
    value: str | None,
    said: tuple[str | None, str, str | None],
    options: tuple[Home, bool],
) -> None:
    (author, because, expires), (home, as_json) = said, options
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai.tags.manual import state

        made = state(
            settings,
            tag,
            person,
            value,
            author=author or current_user(),
            because=because,
            expires_at=parse_as_of(expires, "--expires"),
        )
    if as_json:
        say_json(_statement(made))
    else:
        say(f"recorded: {made}; {_NEXT}")


def statements(
    tag: Annotated[str | None, typer.Argument(metavar="[TAG]", help="Only of this tag.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """What was set and cleared by command, oldest first: by whom, why, until when.

    **Examples**

        zhongtai tags statements vip
    """
    settings = open_home(home)
    with server_on_demand(settings):
        from zhongtai.tags.manual import list_statements

        found = list_statements(settings, tag)
    if tag is not None and not found:
        from zhongtai.tags.inspection import find_tag

        # a tag that is gone may have been spoken of; one that never was is mistyped
        find_tag(settings, tag)
    if as_json:
        say_json([_statement(one) for one in found])
        return
    say_table(
        ("id", "tag", "value", "person", "author", "said (UTC)", "until (UTC)", "because"),
        [
            (
                one.statement_id,
                one.tag_id,
                one.value or "(cleared)",
                str(one.subject),
                one.author,
                f"{one.said_at:%Y-%m-%d %H:%M}",
                f"{one.expires_at:%Y-%m-%d %H:%M}" if one.expires_at else "",
                one.reason,
            )
            for one in found
        ],
    )
    if not found:
        say("nothing was said")


def _statement(one: "Statement") -> dict[str, object]:
    return {
        "statement_id": one.statement_id,
        "tag_id": one.tag_id,
        "value": one.value,
        "person": str(one.subject),
        "author": one.author,
        "because": one.reason,
        "said_at": one.said_at,
        "expires_at": one.expires_at,
    }
