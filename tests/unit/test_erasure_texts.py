"""What is searched in files that no reader could take apart."""

import gzip
from pathlib import Path

import pytest

from zhongtai.erasure.texts import list_words

VALUE = "LOGIN-ALFA-77"


@pytest.mark.parametrize("lines", [2, 20_000])
def test_a_packed_file_that_breaks_off_is_searched_up_to_there(tmp_path: Path, lines: int) -> None:
    text = f'{{"login_id": "{VALUE}"}}\n' + "".join(f'{{"n": {n}}}\n' for n in range(lines))
    file = tmp_path / "events.jsonl.gz"
    file.write_bytes(gzip.compress(text.encode())[:-12])
    assert VALUE in list_words(file)
