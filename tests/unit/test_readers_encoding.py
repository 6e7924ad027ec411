"""Which encoding a short text has: the one that people wrote, not one that fits by chance."""

from pathlib import Path

from zhongtai.readers.encoding import decide_encoding


def test_short_gbk_text_that_is_partly_valid_utf8_is_gbk(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    # every byte pair of 扫一扫 in GBK is also a character of two bytes in UTF-8
    file.write_bytes(("微信UnionID,手机号,来源\n" + "u1,,扫一扫\n" * 4).encode("gb18030"))
    assert decide_encoding(file, ("gb18030", "utf-8")).codec == "gb18030"


def test_damaged_utf8_is_still_utf8(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("微信UnionID,手机号,来源\nu1,,手机号搜索\n".encode() + b"u2,,\xc8\xa8\n")
    assert decide_encoding(file, ("gb18030", "utf-8")).codec == "utf-8"
