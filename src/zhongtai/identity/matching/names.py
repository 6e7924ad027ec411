"""Chinese names folded to what people mean: without title, simplified, with reading and parts."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

# Chinese characters with their simplified form and their reading without tone. Names are short:
# looking up a fixed number of positions is a hash join each, an aggregate over letters is not.
CHARACTERS = Path(__file__).with_name("characters.parquet")
LOOKED_UP = 6
NAME_PARTS = ("text", "pinyin", "surname", "given", "given_sound", "given_first", "given_last")

_COMPOUND_SURNAMES = (  # two characters each
    "欧阳司马上官诸葛东方皇甫尉迟公孙慕容令狐长孙宇文司徒夏侯南宫西门端木独孤轩辕"
    "闻人澹台公冶宗政濮阳淳于单于太叔申屠仲孙钟离鲜于闾丘亓官司寇赫连呼延百里拓跋"
)
_TITLES = "(先生|女士|小姐|太太|师傅|老师|经理|老板)$"

_READ = """
create or replace temp table {into} as
with known as (
    select raw, matching_fold(raw) as known
    from (select distinct {column} as raw from {relation} where {column} is not null)
),
-- looking once is faster than replacing twice
folded as (
    select
        raw,
        if(
            regexp_matches(known, '[·•.．・]|{titles}'),
            regexp_replace(regexp_replace(known, '[·•.．・]', '', 'g'), '{titles}', ''),
            known
        ) as folded,
    from known
),
read as (
    select
        raw,
        nullif(concat({simplified}, folded[{rest}:]), '') as text,
        nullif(concat({pinyin}, folded[{rest}:]), '') as pinyin,
        coalesce(c1.pinyin, folded[1]) as first_sound,
        coalesce(c2.pinyin, folded[2]) as second_sound,
    from folded
    {joins}
),
parted as (
    select *, case when text[1:2] in ({surnames}) then 2 else 1 end as surname_length,
    from read
)
select
    raw,
    text,
    pinyin,
    text[1:surname_length] as surname,
    text[surname_length + 1:] as given,
    pinyin[
        length(first_sound) + if(surname_length = 2, length(second_sound), 0) + 1:
    ] as given_sound,
    nullif(text[surname_length + 1:surname_length + 1], '') as given_first,
    case when length(text) > surname_length then text[-1:] end as given_last,
from parted
"""


def pronounce(name: str) -> list[str]:
    """The reading of each character without tone; what has none stands for itself."""
    readings = _read_characters()
    return [readings.get(character, character) for character in name]


@cache
def _read_characters() -> dict[str, str]:
    import pyarrow.parquet as pq

    found = pq.read_table(CHARACTERS, columns=["character", "pinyin"])
    pairs = zip(found["character"].to_pylist(), found["pinyin"].to_pylist(), strict=True)
    return {character: reading for character, reading in pairs if reading}


def write_names(
    connection: "duckdb.DuckDBPyConnection", relation: str, column: str, *, into: str
) -> None:
    """Write the temp table `into`: one row per distinct name of a column, quoted where needed.

    Columns: raw, text, pinyin (readings in a row), surname, given, given_sound, given_first,
    given_last; null where there is nothing, given is an empty text beside a surname alone.
    """
    connection.execute(
        f"create or replace temp table matching__characters as from '{CHARACTERS.as_posix()}'"
    )
    places = range(1, LOOKED_UP + 1)
    surnames = range(0, len(_COMPOUND_SURNAMES), 2)
    statement = _READ.format(
        into=into,
        column=column,
        relation=relation,
        titles=_TITLES,
        rest=LOOKED_UP + 1,
        simplified=", ".join(f"coalesce(c{i}.simplified, folded[{i}])" for i in places),
        pinyin=", ".join(f"coalesce(c{i}.pinyin, folded[{i}])" for i in places),
        joins=" ".join(
            f"left join matching__characters as c{i} on c{i}.character = folded[{i}]"
            for i in places
        ),
        surnames=", ".join(f"'{_COMPOUND_SURNAMES[i : i + 2]}'" for i in surnames),
    )
    connection.execute(statement)
