"""The generated exports: the same for a seed, whole, in their formats, as dirty as promised."""

import csv
import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest

from zhongtai.errors import ConfigurationError
from zhongtai.generate.catalogue import entities
from zhongtai.generate.dirt_files import SHEET_FRILLS, TROUBLES
from zhongtai.generate.exports import Summary, generate
from zhongtai.generate.mangling import MANGLINGS

PEOPLE, DAYS, SEED, WAVES = 200, 14, 5, 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    out = tmp_path_factory.mktemp("exports") / "out"
    return generate(out, people=PEOPLE, days=DAYS, seed=SEED, waves=WAVES)


def files_below(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
    }


def ledger_rows(world: Summary, name: str = "ledger") -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(
        world.folder / "truth" / f"{name}.parquet"
    ).to_pylist()
    return rows


def test_the_same_seed_gives_the_same_bytes(world: Summary, tmp_path: Path) -> None:
    generate(tmp_path / "again", people=PEOPLE, days=DAYS, seed=SEED, waves=WAVES)
    first, again = files_below(world.folder), files_below(tmp_path / "again")
    assert len(first) > 300
    assert first == again


def test_another_seed_gives_other_persons(world: Summary, tmp_path: Path) -> None:
    generate(tmp_path / "other", people=PEOPLE, days=DAYS, seed=SEED + 1)
    theirs = pq.read_table(tmp_path / "other" / "truth" / "persons.parquet")
    ours = pq.read_table(world.folder / "truth" / "persons.parquet")
    shared = set(ours.column("mobile").to_pylist()) & set(theirs.column("mobile").to_pylist())
    assert len(shared) < PEOPLE / 10


def test_every_entity_is_delivered_with_rows(world: Summary) -> None:
    loaded = {
        f"{row['source']}.{row['entity']}": row["rows_loaded"]
        for row in ledger_rows(world)
        if row["status"] == "loaded" and row["rows_loaded"]
    }
    assert len(entities()) == 35
    assert set(loaded) == set(entities())


def test_every_kind_of_dirt_occurs_even_in_a_small_world(world: Summary) -> None:
    dirt = pq.read_table(world.folder / "truth" / "dirt.parquet")
    found = set(dirt.column("kind").to_pylist())
    wanted = {mangling.name for mangling in MANGLINGS} | {kind for kind, _ in TROUBLES.values()}
    wanted |= {frill for frills in SHEET_FRILLS for frill in frills}
    wanted |= {"null_words", "unknown_word", "event_in_future", "broken_json", "utf16"}
    wanted |= {"header_variant", "columns_added", "columns_reordered", "duplicate_headers"}
    assert wanted - found == set()


@pytest.mark.parametrize("folder", ["landing", "waves/1", "waves/2", "waves/3"])
def test_manifests_describe_their_files_unless_spoilt(world: Summary, folder: str) -> None:
    known = ledger_rows(world, "ledger" if folder == "landing" else "ledger_by_wave")
    here = [row for row in known if folder in ("landing", f"waves/{row['wave']}")]
    verdicts = {row["file"]: row for row in here}
    looked_at = 0
    root = world.folder / folder
    for manifest in sorted(root.rglob("*.manifest.json")):
        if manifest.name.endswith("_0.manifest.json"):
            continue
        content = json.loads(manifest.read_text(encoding="utf-8"))
        assert str(manifest.relative_to(root)).startswith(
            f"{content['source']}/{content['entity']}/"
        )
        for entry in content["files"]:
            data = (manifest.parent / entry["name"]).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            path = str((manifest.parent / entry["name"]).relative_to(root))
            row = verdicts[path]
            said = (entry["bytes"], entry["sha256"], entry["rows"])
            is_right = said == (len(data), digest, row["rows_in"])
            assert is_right == (not str(row["reason"]).startswith("manifest_"))
            looked_at += 1
    assert looked_at > 5


def test_every_file_of_a_manifest_entity_is_named_and_of_a_done_entity_marked(
    world: Summary,
) -> None:
    landing = world.folder / "landing"
    named = {
        str((path.parent / entry["name"]).relative_to(landing))
        for path in landing.rglob("*.manifest.json")
        for entry in json.loads(path.read_text(encoding="utf-8"))["files"]
    }
    marked = {
        str(path.relative_to(landing)).removesuffix(".done") for path in landing.rglob("*.done")
    }
    for row in ledger_rows(world):
        completion = entities()[f"{row['source']}.{row['entity']}"].completion
        is_complete = row["status"] != "not_complete"
        assert (row["file"] in named) == (completion == "manifest")
        assert (row["file"] in marked) == (completion == "done" and is_complete)


def test_the_waves_together_are_the_landing_folder(world: Summary) -> None:
    together: dict[str, str] = {}
    for wave in range(1, WAVES + 1):
        together |= files_below(world.folder / "waves" / str(wave))
    assert together == files_below(world.folder / "landing")


def test_a_file_is_rewritten_under_its_name_in_a_later_wave(world: Summary) -> None:
    name = "workforce/staff/full/staff_latest.csv"
    found = [
        path.read_bytes()
        for wave in range(1, WAVES + 1)
        if (path := world.folder / "waves" / str(wave) / name).exists()
    ]
    assert len(found) == 2
    assert found[0] != found[1]


def test_sensors_lines_are_json_with_and_without_identities(world: Summary) -> None:
    lines = []
    for path in sorted((world.folder / "landing" / "app").rglob("*.jsonl")):
        lines += [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    kinds = {line["type"] for line in lines}
    assert {"track", "track_signup", "track_id_bind", "profile_set"} <= kinds
    assert any("identities" in line for line in lines)
    assert any("identities" not in line for line in lines)
    assert any(len(str(line["time"])) == 10 for line in lines)
    assert any(isinstance(line["properties"], str) for line in lines)
    assert all("_track_id" not in line for line in lines if line["type"].startswith("profile"))
    assert all("original_id" in line for line in lines if line["type"] == "track_signup")


def test_growing_files_escape_quotes_by_backslash(world: Summary) -> None:
    paths = sorted((world.folder / "landing" / "website" / "pages").rglob("*.csv.gz"))
    text = gzip.decompress(paths[0].read_bytes()).decode()
    rows = list(csv.DictReader(io.StringIO(text), escapechar="\\", doublequote=False))
    assert {len(row) for row in rows} == {14}
    assert all(json.loads(row["appVariable"])["series_code"] for row in rows)
    assert all('"图片"' in row["title"] for row in rows)
    headers = {gzip.decompress(path.read_bytes()).split(b"\n")[0] for path in paths}
    assert any(b"loginUserID" in header for header in headers)
    assert any(b"loginUserId" in header for header in headers)


def test_workbooks_carry_what_people_do_to_them(world: Summary) -> None:
    books = [
        openpyxl.load_workbook(path)
        for path in sorted((world.folder / "landing" / "dms").rglob("*.xlsx"))
        if "zip_bomb" not in path.name
    ]
    sheets = [sheet for book in books for sheet in book.worksheets]
    cells = [row[0] for sheet in sheets for row in sheet.iter_rows(values_only=True)]
    assert any(sheet.sheet_state == "hidden" for sheet in sheets)
    assert any(book.epoch.year == 1904 for book in books)
    assert any(sheet.merged_cells.ranges for sheet in sheets)
    assert "合计" in cells


def test_the_bombs_are_small_on_disk(world: Summary) -> None:
    landing = world.folder / "landing"
    packed = next(landing.rglob("*zip_bomb*.xlsx"))
    with zipfile.ZipFile(packed) as archive:
        sheet = archive.getinfo("xl/worksheets/sheet1.xml")
        with archive.open(sheet) as stream:
            assert stream.read(1 << 16) == b" " * (1 << 16)
    assert sheet.file_size == 1 << 30
    assert packed.stat().st_size < 1 << 21
    bomb = next(path for path in landing.rglob("*xml_bomb*.xml"))
    assert bomb.stat().st_size < 4096


def test_a_folder_in_use_is_refused(world: Summary) -> None:
    with pytest.raises(ConfigurationError, match="is not empty"):
        generate(world.folder, people=PEOPLE, days=DAYS, seed=SEED)


@pytest.mark.parametrize(
    "wrong", [{"people": 3}, {"people": 10**12}, {"days": 1}, {"waves": 99}, {"dirt": 0.9}]
)
def test_numbers_that_make_no_world_are_refused(tmp_path: Path, wrong: dict[str, float]) -> None:
    options = {"people": PEOPLE, "days": DAYS, "waves": 1, "dirt": 0.01} | wrong
    with pytest.raises(ConfigurationError, match="No world of"):
        generate(tmp_path / "out", seed=1, **options)  # type: ignore[arg-type]
