"""Names that attack paths, SQL, shells, logs and terminals; things that are no files at all."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from corpus import Bad, fault, table
from corpus_events import lines

MEMBERS, DEALERS, EVENTS = "partner.members", "dms.dealers", "app.events"


def named(name: str) -> Iterator[Bad]:
    """Good files under a bad name, one of each way of completion."""
    for entity in (MEMBERS, DEALERS):
        yield Bad(entity, table(entity).bytes(), 3, name=name)
    yield Bad(EVENTS, lines(3), 3, name=name)


def planted(entity: str, says: str, plant: Callable[[Path], Path], status: str = "stray") -> Bad:
    """Something that is no delivery and must be reported."""
    return Bad(entity, status=status, says=says, plant=plant)


@fault
def names_that_climb() -> Iterator[Bad]:
    for name in ("%2e%2e%2fetc%2fpasswd", "x\\..\\..\\x.csv", "x..", "a..b", "%00.csv"):
        yield from named(name)


@fault
def names_with_sql() -> Iterator[Bad]:
    for name in (
        "x'); drop schema ledger cascade; --.csv", 'a" or ""=".csv', "$1 %s %(x)s {0}.csv", "a''b",
        "x' union select 1.csv", "[abc]*?.csv", "{a,b}.csv",
    ):  # fmt: skip
        yield from named(name)


@fault
def names_with_shell_and_templates() -> Iterator[Bad]:
    for name in ("$(touch pwned).csv", "`id`.csv", "-rf", "--help.csv", "{{ ds }}.csv", "a;b|c&d"):
        yield from named(name)


@fault
def names_with_control_characters() -> Iterator[Bad]:
    for name in ("a\nb.csv", "a\rb.csv", "\x1b[31mred.csv", "a\tb.csv", "bell\x07", "a\x7fb.csv"):
        yield from named(name)


@fault
def names_that_hide_or_turn() -> Iterator[Bad]:
    for name in (
        "a\u202egnp.csv",
        "a\u200bb.csv",
        "\u2028.csv",
        "\ufeffx.csv",
        "𠮷㐂😀.csv",
        "e\u0301.csv",
    ):
        yield from named(name)


@fault
def very_long_names() -> Iterator[Bad]:
    # with what stands beside them, names fill the 255 bytes that a file system has
    yield from named("n" * 150 + ".csv")
    yield from named("长" * 50 + ".csv")
    for name in ("x." + "y" * 250, "z" * 255, "长" * 85):
        yield Bad(DEALERS, table(DEALERS).bytes(), 3, name=name)
        # the copy in the quarantine needs a name too
        bad = b"no header here\n"
        yield Bad(
            DEALERS,
            bad,
            0,
            status="quarantined",
            rule="required_column_missing",
            name=f"q{name}"[:85],
        )


@fault
def names_of_no_encoding() -> Iterator[Bad]:
    for raw in (b"\xbe\xad\xcf\xfa.csv", b"\xff\xfe.csv", b"a\x80" * 80):
        yield Bad(DEALERS, table(DEALERS).bytes(), 3, name=os.fsdecode(raw))
        yield Bad(EVENTS, lines(2), 2, name=os.fsdecode(raw))
    bad = os.fsdecode(b"\xfe" * 250)
    yield Bad(
        DEALERS, b"no header", 0, status="quarantined", rule="required_column_missing", name=bad
    )


@fault
def names_that_differ_in_case_or_composition_alone() -> Iterator[Bad]:
    def pair(other: str, content: bytes) -> Callable[[Path], None]:
        return lambda folder: (folder / other).write_bytes(content) and None

    for name, other in (("a.csv", "A.CSV"), ("\u00e9.csv", "e\u0301.csv"), ("x\\xbe", "x\\\\xbe")):
        yield Bad(
            DEALERS,
            table(DEALERS).bytes(),
            3,
            name=name,
            prepare=pair(other, table(DEALERS).bytes()),
        )
    raw = os.fsdecode(b"x\xbe")
    yield Bad(
        DEALERS, table(DEALERS).bytes(), 3, name=raw, prepare=pair("x\\xbe", table(DEALERS).bytes())
    )


@fault
def folders_like_files() -> Iterator[Bad]:
    for name in ("x.csv", "x.csv.done", "m.manifest.json", "'; drop table x; --", "a\nb"):
        for entity in (MEMBERS, DEALERS, EVENTS):
            content = lines(3) if entity == EVENTS else table(entity).bytes()
            yield Bad(entity, content, 3, name=f"{name}/inner.csv")


@fault
def links_that_lead_away() -> Iterator[Bad]:
    def link(target: str) -> Callable[[Path], Path]:
        def plant(folder: Path) -> Path:
            (folder / "link.csv").symlink_to(target)
            return folder / "link.csv"

        return plant

    for target in ("/etc/passwd", "/", "../../../../..", "/dev/zero", "/proc/self/environ"):
        yield planted(DEALERS, "leads out of the landing zone", link(target))
    yield planted(DEALERS, "linked folder", link("."))
    yield planted(DEALERS, "a link to itself", link("link.csv"))


@fault
def a_link_that_dangles() -> Iterator[Bad]:
    def plant(folder: Path) -> Path:
        (folder / "link.csv").symlink_to(folder / "nowhere.csv")
        return folder / "link.csv"

    yield planted(DEALERS, "neither a file nor a folder", plant)


@fault
def pipes_and_sockets() -> Iterator[Bad]:
    def pipe(name: str) -> Callable[[Path], Path]:
        def plant(folder: Path) -> Path:
            os.mkfifo(folder / name)
            return folder / name

        return plant

    def plug(folder: Path) -> Path:
        here = Path.cwd()
        os.chdir(folder)  # a path of a socket is short
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind("plug.csv")
        finally:
            os.chdir(here)
        return folder / "plug.csv"

    for name in ("pipe.csv", "pipe.manifest.json", "pipe.csv.done"):
        yield planted(MEMBERS, "neither a file nor a folder", pipe(name))
    yield planted(EVENTS, "neither a file nor a folder", pipe("x.jsonl"))
    yield planted(DEALERS, "neither a file nor a folder", plug)


@fault
def folders_too_deep() -> Iterator[Bad]:
    def deep(folder: Path) -> Path:
        here = Path.cwd()
        os.chdir(folder)
        try:
            for _ in range(1500):
                Path("d").mkdir()
                os.chdir("d")
            Path("x.csv").write_bytes(table(DEALERS).bytes())
        finally:
            os.chdir(here)
        return folder

    def beyond(folder: Path) -> Path:
        here = Path.cwd()
        os.chdir(folder)
        try:
            for _ in range(20):
                Path("n" * 250).mkdir()
                os.chdir("n" * 250)
        finally:
            os.chdir(here)
        return folder

    yield planted(DEALERS, "has a path of more than 2000 bytes", deep)
    yield planted(DEALERS, "cannot be listed", beyond)


@fault
def times_beyond_the_calendar() -> Iterator[Bad]:
    for seconds in (400_000_000_000, 99_999_999_999, -5_000_000_000, 0, -1):

        def stamp(folder: Path, seconds: int = seconds) -> Path:
            file = folder / "stamped.csv"
            file.write_bytes(table(DEALERS).bytes())
            os.utime(file, (seconds, seconds))
            return file

        yield Bad(DEALERS, rows=3, plant=stamp)


@fault
def places_of_no_contract() -> Iterator[Bad]:
    def put(path: str) -> Callable[[Path], Path]:
        def plant(folder: Path) -> Path:
            file = folder.joinpath(*[".."] * 4, path).resolve()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"x")
            return file

        return plant

    yield planted(DEALERS, "there is no source", put("erp/dealers/x.csv"))
    yield planted(DEALERS, "has no entity", put("dms/'; drop table x; --/x.csv"))
    yield planted(DEALERS, "is not below <source>/<entity>/", put("x.csv"))
    yield planted(DEALERS, "is a marker or checksum", put("dms/dealers/x.md5"))
