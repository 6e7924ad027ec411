"""A declaration says what is wrong with it, where, and what was expected."""

from pathlib import Path

import pytest

from zhongtai.errors import ConfigurationError
from zhongtai.identity.matching import load_declaration

RIGHT = """
key: id
comparisons:
  - {column: name, kind: chinese_name, term_frequencies: true}
  - {column: birth_date, kind: date}
  - {column: mobile, kind: mobile}
  - {name: place, kind: place, columns: [dealers, city]}
blocking:
  - [name.pinyin, place.city]
  - [birth_date.value]
thresholds: {accept: 0.9}
training:
  certain: [[name.text, birth_date.value]]
  sessions: [[birth_date.value]]
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "persons.yml"
    file.write_text(text, "utf-8")
    return file


def test_a_declaration_is_read_with_its_defaults(tmp_path: Path) -> None:
    found = load_declaration(written(tmp_path, RIGHT))
    assert found.name == "persons"
    assert found.columns == ("id", "name", "birth_date", "mobile", "dealers", "city")
    assert found.blocking == (("name.pinyin", "place.city"), ("birth_date.value",))
    assert (found.thresholds.accept, found.thresholds.review) == (0.9, 0.8)
    assert found.comparisons[0].term_frequencies
    assert found.population is None


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("kind: date", "kind: datum", "persons.yml:5: 'comparisons': kind is 'datum'"),
        ("name.pinyin", "name.sound", "blocks on 'name.sound', expected one of .*name.pinyin"),
        ("sessions: [[birth_date.value]]", "sessions: [name.text]", "must be a list of lists"),
        ("sessions: [[birth_date.value]]", "sessions: [[mobile.tail]]", "blocks on the list"),
        ("accept: 0.9", "accept: 0.7", "review 0.8 and accept 0.7, expected"),
        ("accept: 0.9", "accept: 2", "'accept' is 2, expected a number from 0 to 1"),
        ("term_frequencies: true", "frequencies: true", "unknown 'frequencies'"),
        ("kind: date", "kind: date, edits: [1]", "'edits' goes with text, not with date"),
        ("kind: date", "kind: date, columns: [a, b]", "'date' compares 1 column.s., found 2"),
        ("column: birth_date", "name: name, column: birth_date", "two comparisons are called"),
        (
            "key: id",
            "key: id\nsufficient: [{name: [same]}]",
            "says 'same', expected one of cut, dif",
        ),
        ("key: id", "key: id\nsufficient: [{nom: [equal]}]", "says 'nom', expected one of birth"),
        (
            "key: id",
            "key: id\nstricter: {where: vip, sufficient: [{name: [same]}]}",
            "says 'same', expected one of cut, dif",
        ),
        ("key: id", "key: id\nstricter: {sufficient: []}", "'where'"),
        ("key: id", "key: id\nmax_block: 1", "'max_block' is 1, expected 2 or more"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, right: str, wrong: str, complaint: str
) -> None:
    text = RIGHT.replace(right, wrong)
    assert text != RIGHT
    with pytest.raises(ConfigurationError, match=complaint):
        load_declaration(written(tmp_path, text))


def test_a_declaration_without_rules_is_refused(tmp_path: Path) -> None:
    text = "key: id\ncomparisons:\n  - {column: name, kind: text}\n"
    with pytest.raises(ConfigurationError, match="no blocking rule"):
        load_declaration(written(tmp_path, text))
