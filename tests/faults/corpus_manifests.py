"""Manifests and markers that lie, climb, or are none."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from corpus import Bad, fault, table, whole
from corpus_events import lines

ENTITY = "partner.members"
Write = Callable[[Path], None]


def beside(name: str, content: bytes | str) -> Write:
    """Writes another file into the folder."""

    def write(folder: Path) -> None:
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        (folder / name).write_bytes(data)

    return write


def entries(*files: dict[str, Any], **other: Any) -> str:
    """The text of a manifest."""
    return json.dumps({"files": list(files), **other})


def waiting(content: bytes | str, says: str, status: str = "stray") -> Iterator[Bad]:
    """A file whose manifest cannot be followed: told of, and the file waits."""
    name = "wrong.manifest.json"
    yield Bad(
        ENTITY, table(ENTITY).bytes(), status="waiting", says="waits for a manifest",
        is_complete=False, prepare=beside(name, content),
    )  # fmt: skip

    def plant(folder: Path) -> Path:
        beside("x.csv", table(ENTITY).bytes())(folder)
        beside(name, content)(folder)
        return folder / name

    yield Bad(ENTITY, status=status, says=says, plant=plant)


@fault
def a_manifest_that_is_no_json() -> Iterator[Bad]:
    yield from waiting("", "invalid JSON in line 1")
    yield from waiting('{"files": [{"name": "x.csv"', "invalid JSON in line 1, column")
    yield from waiting(b"\xff\xfe\x00", "byte 0 is no UTF-8")
    yield from waiting("[" * 200_000, "nested too deeply")
    yield from waiting('{"files": [{"name": "x.csv", "rows": ' + "9" * 5000 + "}]}", "too long")


@fault
def a_manifest_of_another_shape() -> Iterator[Bad]:
    for content in ("[]", "{}", "null", '{"files": {}}', '{"files": null}', '"x.csv"'):
        yield from waiting(content, "a list 'files'")
    for files in ('["x.csv"]', '[{"nom": "x.csv"}]', '[{"name": 1}]', "[null]", '[{"name": null}]'):
        yield from waiting(f'{{"files": {files}}}', "file 1 has no 'name'")


@fault
def a_manifest_of_another_entity() -> Iterator[Bad]:
    for source, entity in (("dms", "members"), ("partner", "../dms"), (1, None), ("\x1b[0m", "\0")):
        text = entries({"name": "x.csv"}, source=source, entity=entity)
        yield from waiting(text, "not partner/members")


@fault
def a_manifest_with_numbers_that_are_none() -> Iterator[Bad]:
    for value in ("many", "1e3", True, 1.5, [1], "0x10", 10**30):
        yield from waiting(entries({"name": "x.csv", "rows": value}), "no whole number")
    yield from waiting('{"files": [{"name": "x.csv", "bytes": NaN}]}', "no whole number")


@fault
def a_manifest_that_contradicts_its_file() -> Iterator[Bad]:
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"bytes": 1}, "bytes instead of 1"), ({"bytes": -1}, "bytes instead of -1"),
        ({"rows": 4}, "3 rows instead of 4"), ({"rows": 0}, "3 rows instead of 0"),
        ({"sha256": "0" * 64}, "instead of 000000000000"), ({"sha256": "abc"}, "instead of abc"),
        ({"sha256": "\0\x1b\ud800:"}, "instead of"), ({"sha256": "x" * 100_000}, "instead of"),
        ({"bytes": 1, "rows": 9}, "rows instead of 9"),
    )  # fmt: skip
    for manifest, says in wrong:
        yield whole(ENTITY, table(ENTITY).bytes(), "manifest_mismatch", says, 3, manifest=manifest)


@fault
def a_manifest_with_numbers_in_quotes() -> Iterator[Bad]:
    for manifest in ({"rows": "3"}, {"rows": 3.0}, {"sha256": None}, {"bytes": None, "rows": None}):
        yield Bad(ENTITY, table(ENTITY).bytes(), 3, manifest=manifest)


@fault
def a_manifest_that_names_files_elsewhere() -> Iterator[Bad]:
    names = ("../x.csv", "/etc/passwd", "..", "a/b.csv", "x.csv\0", "C:\\x.csv", "\ud800", "")
    for name in names:
        yield from waiting(entries({"name": name}), "1 files that are not beside it", "waiting")


@fault
def a_manifest_that_names_more_than_there_is() -> Iterator[Bad]:
    def plant(folder: Path) -> Path:
        beside("x.csv", table(ENTITY).bytes())(folder)
        names = ["x.csv", *(f"missing {n}.csv" for n in range(2000))]
        beside("m.manifest.json", entries(*({"name": n} for n in names)))(folder)
        return folder / "m.manifest.json"

    yield Bad(ENTITY, status="waiting", says="names 2000 files that are not beside it", plant=plant)


@fault
def times_of_export_beyond_the_calendar() -> Iterator[Bad]:
    for moment in (
        "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+14:00", "0000-00-00", "", 0, None, [],
        "2026-13-45", "99999-01-01", "now", "2026-03-05T12:00:00+99:00", "\0",
    ):  # fmt: skip
        yield Bad(ENTITY, table(ENTITY).bytes(), 3, manifest={"exported_at": moment})


@fault
def two_manifests_for_a_file() -> Iterator[Bad]:
    older = entries({"name": "data.csv", "rows": 99}, exported_at="2020-01-01T00:00:00Z")
    yield Bad(ENTITY, table(ENTITY).bytes(), 3, prepare=beside("older.manifest.json", older))
    same = entries({"name": "data.csv"}, {"name": "data.csv"}, exported_at="2020-01-01T00:00:00Z")
    yield Bad(ENTITY, table(ENTITY).bytes(), 3, prepare=beside("twice.manifest.json", same))


@fault
def markers_without_a_file() -> Iterator[Bad]:
    def plant(folder: Path) -> Path:
        beside("x.jsonl.done", b"")(folder)
        return folder / "x.jsonl.done"

    yield Bad("app.events", status="stray", says="marks a file that is not there", plant=plant)
    yield Bad(
        "app.events",
        lines(2),
        status="waiting",
        says="waits for data.jsonl.done",
        is_complete=False,
    )
    for content in (b"", b"{}", os.urandom(100)):
        yield Bad(
            "app.events", lines(2), 2, is_complete=False, prepare=beside("data.jsonl.done", content)
        )


@fault
def the_same_bytes_again() -> Iterator[Bad]:
    for entity in (ENTITY, "dms.dealers", "crm.follow_ups"):
        data = table(entity).bytes()
        yield Bad(entity, data, 3, name="a.csv")
        yield Bad(entity, data, 3, duplicate=3, status="duplicate", name="b.csv")


@fault
def rows_of_another_file_again() -> Iterator[Bad]:
    for entity in ("crm.follow_ups", "dms.store_visits", "website.visits"):
        t = table(entity, 4)
        yield Bad(entity, t.bytes(), 4, name="a.csv")
        t.rows.reverse()
        t.rows += table(entity, 1).rows
        yield Bad(entity, t.bytes(), 5, duplicate=4, name="b.csv")
