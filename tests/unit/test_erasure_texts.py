"""What is searched in files that no reader could take apart."""

import gzip
import hashlib
from pathlib import Path

import pytest

from zhongtai.erasure.texts import holds_any, list_words

VALUE = "LOGIN-ALFA-77"


@pytest.mark.parametrize("lines", [2, 20_000])
def test_a_packed_file_that_breaks_off_is_searched_up_to_there(tmp_path: Path, lines: int) -> None:
    text = f'{{"login_id": "{VALUE}"}}\n' + "".join(f'{{"n": {n}}}\n' for n in range(lines))
    file = tmp_path / "events.jsonl.gz"
    file.write_bytes(gzip.compress(text.encode())[:-12])
    assert VALUE in list_words(file)
    assert holds_any(file, {VALUE})


@pytest.mark.parametrize("lines", [0, 5000])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("told", "value"),
    [
        ("13611110001", "13611110001"), ("136-1111-0001", "13611110001"),
        ("+86 136-1111-0001", "13611110001"), ("+86-136.1111.0001", "13611110001"),
        ("13611110001.0", "13611110001"), ("１３６１１１１０００１", "13611110001"),
        ("0086-13611110001", "13611110001"), ("913611110001", None), ("136111100011", None),
        ("login-alfa-77", VALUE), ("ＬＯＧＩＮ－ＡＬＦＡ－７７", VALUE), ("LOGINALFA77", None),
        ("xLOGIN-ALFA-77", None), ("LOGIN-ALFA-77.", None), ("\"LOGIN-ALFA-77\"", VALUE),
        ("A7@EXAMPLE.COM", "a7@example.com"), ("a7@exampleXcom", None),
    ],
)  # fmt: skip
def test_a_text_holds_what_is_a_word_of_it(
    tmp_path: Path, lines: int, encoding: str, told: str, value: str | None
) -> None:
    file = tmp_path / "file.csv"
    text = "姓名,电话\r\n" + "李,13911110000\r\n" * lines + f"王,{told}\r\n"
    file.write_bytes(text.encode(encoding))
    sought = {"13611110001", VALUE, "a7@example.com"}
    assert list_words(file) & sought == ({value} if value else set())
    assert holds_any(file, sought) == bool(value)
    assert not holds_any(file, {"13611110002"})
    assert not holds_any(file, set())


def test_more_values_than_one_pattern_may_have_are_found(tmp_path: Path) -> None:
    file = tmp_path / "file.csv"
    file.write_text(f"a,{VALUE},b\n" * 5000)
    many = {hashlib.sha256(b"%d" % number).hexdigest() for number in range(20_000)}
    assert not holds_any(file, many)
    assert holds_any(file, many | {VALUE})
