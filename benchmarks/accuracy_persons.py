"""A made-up population of persons in pieces that no strong identifier joins, with their truth.

Independent of the sample world: surnames and cities as unequal as they are, families at one
address, and per system what it knows of a person. The shipped model is trained on one seed of it
and measured on another.

    python -m benchmarks.accuracy_persons      trains seeds/matching/persons.model.json anew
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

ROOT = Path(__file__).parents[1]
DECLARATION_FILE = ROOT / "seeds" / "matching" / "persons.yml"
MODEL_FILE = ROOT / "seeds" / "matching" / "persons.model.json"
TRAINED_ON = {"seed": 20_260_101, "persons": 60_000}

Texts = npt.NDArray[np.object_]
Generator = np.random.Generator

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾萧田董袁潘蒋蔡余杜叶程苏魏吕丁任"
    "沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫"
)
_RARE_SURNAMES = ("欧阳", "上官", "司徒", "诸葛", "覃", "蔺", "翟", "仝", "郗", "佟")
_GIVEN = (
    "明华国文志建军平海红春丽玉英伟杰秀金小永晓林芳燕德云光世成兰新庆荣东龙福辉梅凤雪峰宏洪秋强波艳"
    "静敏涛飞勇超刚磊鹏亮俊斌婷娟霞琴慧玲莉丹萍颖佳欣怡涵宇浩轩泽睿梓子诗雨思嘉一天若语心可馨悦琪瑶"
    "晨曦阳帆航博毅凯豪翔昊然景程启铭振江树立喜安康宁远清源泉山川石松柏桂香菊莲珍珠宝瑞祥贵富"
)
# what is heard as one and written as another
_HOMOPHONES = dict(
    zip(
        "明华志伟丽静莉颖佳欣怡轩晓小永宏洪辉慧峰俊军建金子思嘉玲林凤",
        "鸣桦智玮莉婧丽影嘉新宜萱小晓勇洪宏晖惠锋军俊健锦紫斯佳铃琳奉",
        strict=True,
    )
)
_TRADITIONAL = dict(
    zip(
        "张刘陈杨黄赵吴孙马罗郑谢许韩冯邓苏丽华国伟杰凤龙军兰东庆红莲宝贵",
        "張劉陳楊黃趙吳孫馬羅鄭謝許韓馮鄧蘇麗華國偉傑鳳龍軍蘭東慶紅蓮寶貴",
        strict=True,
    )
)
_STREETS = ("人民路", "中山路", "解放路", "建设路", "长江路", "和平路", "文化路", "新华路")

# per system the share of its pieces that has an attribute: what a carmaker's systems ask for
_KNOWS = {
    #            name birth gender city dealer address email masked second
    "app": (0.50, 0.30, 0.50, 0.40, 0.00, 0.00, 0.20, 0.10, 0.30),
    "crm": (0.95, 0.10, 0.40, 0.80, 0.70, 0.05, 0.05, 0.60, 0.20),
    "dms": (1.00, 0.40, 0.60, 0.70, 1.00, 0.70, 0.10, 0.30, 0.40),
    "partner": (1.00, 0.60, 0.60, 0.80, 0.00, 0.30, 0.10, 0.70, 0.05),
}
_ATTRIBUTES = ("name", "birth_date", "gender", "city", "dealer", "address", "email")


def make_pieces(seed: int, persons: int) -> pa.Table:
    """About 1.4 rows per person: columns of the declaration, and `person`, the truth."""
    rng = np.random.default_rng(seed)
    people = _make_people(rng, persons)
    count = rng.choice([1, 2, 3], persons, p=[0.7, 0.22, 0.08])
    owner = np.repeat(np.arange(persons), count)
    is_first = np.r_[True, owner[1:] != owner[:-1]]
    systems = rng.integers(0, len(_KNOWS), len(owner))
    shares = np.array(list(_KNOWS.values()))[systems]
    known = rng.random(shares.shape) < shares
    piece = {
        name: np.where(known[:, place], people[name][owner], None)
        for place, name in enumerate(_ATTRIBUTES)
    }
    piece["name"] = _misspell(rng, piece["name"])
    piece["birth_date"] = _misdate(rng, piece["birth_date"])
    wrong = rng.random(len(owner)) < 0.01
    piece["gender"] = np.where(wrong & (piece["gender"] == "男"), "女", piece["gender"])
    piece["address"] = _shorten(rng, piece["address"])
    mobile = people["mobile"][owner]
    # the number itself is strong evidence: only one piece of a person can have it
    mobiles = np.where(is_first & (rng.random(len(owner)) < 0.7), mobile, None)
    called = np.where(rng.random(len(owner)) < 0.9, mobile, people["home_phone"][owner])
    called = np.where(np.equal(called, None), mobile, called)
    masked = _texts("{}****", _cut(called, 3, 6)) + _cut(called, 10, 14)
    mobiles = np.where(~is_first & known[:, 7], masked, mobiles)
    second = np.where(rng.random(len(owner)) < 0.5, people["home_phone"][owner], None)
    second = np.where(np.equal(second, None), _numbers(rng, len(owner)), second)
    mobiles = np.where(known[:, 8] & np.equal(mobiles, None), second, mobiles)
    city = people["city_number"][owner]
    moved = rng.random(len(owner))
    city = np.where(moved < 0.03, city // 6 * 6 + rng.integers(0, 6, len(owner)), city)
    city = np.where(moved > 0.97, rng.integers(0, 150, len(owner)), city)
    piece["city"] = np.where(np.not_equal(piece["city"], None), _texts("城市{}市", city), None)
    shuffled = rng.permutation(len(owner))
    city_known = np.not_equal(piece["city"], None)
    columns: dict[str, Any] = {
        "cluster_key": pa.array([f"c{number:08}" for number in range(len(owner))]),
        "name": pa.array(piece["name"][shuffled], pa.string()),
        "mobiles": pa.array(
            [[number] if number else None for number in mobiles[shuffled]], pa.list_(pa.string())
        ),
        "birth_date": pa.array(piece["birth_date"][shuffled], pa.date32()),
        "gender": pa.array(piece["gender"][shuffled], pa.string()),
        "province": pa.array(
            np.where(city_known, _texts("省份{}省", city // 6), None)[shuffled], pa.string()
        ),
        "city": pa.array(piece["city"][shuffled], pa.string()),
        "dealer_codes": pa.array(
            [[code] if code else None for code in piece["dealer"][shuffled]],
            pa.list_(pa.string()),
        ),
        "address": pa.array(piece["address"][shuffled], pa.string()),
        "email": pa.array(piece["email"][shuffled], pa.string()),
        "has_namesakes": pa.repeat(False, len(owner)),
        "person": pa.array(owner[shuffled]),
    }
    return pa.table(columns)


def _make_people(rng: Generator, count: int) -> dict[str, npt.NDArray[Any]]:
    """One value per person; a quarter live as families, with one address and mostly one surname."""
    family = np.where(rng.random(count) < 0.25, rng.integers(0, count // 9 + 1, count), -1)
    home = np.where(family >= 0, family, np.arange(count) + count)
    weights = 1 / (np.arange(len(_SURNAMES)) + 4.0) ** 1.1
    surnames = rng.choice(list(_SURNAMES), 2 * count, p=weights / weights.sum()).astype(object)
    rare = rng.random(2 * count) < 0.01
    surnames[rare] = rng.choice(_RARE_SURNAMES, int(rare.sum()))
    own = rng.random(count) < 0.4
    surname = surnames[np.where(own, np.arange(count), home)]
    second = np.where(rng.random(count) < 0.75, _letters(rng, _GIVEN, count), "")
    city_of_home = (rng.pareto(1.0, 2 * count) * 6).astype(int) % 150
    city = city_of_home[home]
    street = rng.integers(0, len(_STREETS), 2 * count)[home]
    house, flat = rng.integers(1, 400, 2 * count)[home], rng.integers(1, 3000, 2 * count)[home]
    dealer = city * 10 + rng.integers(0, 6, 2 * count)[home]
    days = rng.integers(-5_500, 13_500, count)
    number = _numbers(rng, count)
    # the phone of a family is a number of its own
    home_phone = np.where(family >= 0, _numbers(rng, 2 * count)[home], None)
    return {
        "name": surname + _letters(rng, _GIVEN, count) + second,
        "birth_date": (np.datetime64("1970-01-01") + days).astype(object),
        "gender": rng.choice(["男", "女"], count).astype(object),
        "city": _texts("{}", city),
        "city_number": city,
        "dealer": _texts("D{:04}", dealer),
        "address": np.array(_STREETS, object)[street]
        + _texts("{}号", house)
        + _texts("{}室", flat),
        "email": _texts("u{}@example.com", rng.integers(0, 10**9, count)),
        "mobile": number,
        "home_phone": home_phone,
    }


def _numbers(rng: Generator, count: int) -> Texts:
    prefix = rng.integers(30, 99, count)
    return _texts("+861{:02}", prefix) + _texts("{:08}", rng.integers(0, 10**8, count))


def _letters(rng: Generator, letters: str, count: int) -> Texts:
    weights = 1 / (np.arange(len(letters)) + 8.0) ** 0.7
    return rng.choice(list(letters), count, p=weights / weights.sum()).astype(object)


def _misspell(rng: Generator, names: Texts) -> Texts:
    """One name in six is written otherwise than its owner would."""
    changed = names.copy()
    kinds = rng.random(len(names))
    for place in np.flatnonzero((kinds < 0.17) & np.not_equal(names, None)):
        name, kind = str(names[place]), kinds[place]
        if kind < 0.05:
            found = "".join(_HOMOPHONES.get(letter, letter) for letter in name[1:])
            changed[place] = name[0] + found
        elif kind < 0.07:
            wrong = _GIVEN[int(rng.integers(len(_GIVEN)))]
            changed[place] = name[:-1] + wrong
        elif kind < 0.08:
            changed[place] = name[:2] if len(name) > 2 else name
        elif kind < 0.10:
            changed[place] = "".join(_TRADITIONAL.get(letter, letter) for letter in name)
        elif kind < 0.12:
            changed[place] = f"{name[0]} {name[1:]}"
        else:
            changed[place] = name[0] + ("先生" if kind < 0.15 else "女士")
    return changed


def _misdate(rng: Generator, dates: Texts) -> Texts:
    """One birth date in thirty is another day of its month, of another year, or anything."""
    changed = dates.copy()
    for place in np.flatnonzero((rng.random(len(dates)) < 0.03) & np.not_equal(dates, None)):
        kind = rng.random()
        if kind < 0.2:
            changed[place] = np.datetime64(int(rng.integers(-5_500, 13_500)), "D").astype(object)
        elif kind < 0.6:
            changed[place] = dates[place].replace(day=int(rng.integers(1, 29)))
        else:
            changed[place] = dates[place].replace(day=1, year=dates[place].year + 1)
    return changed


def _shorten(rng: Generator, addresses: Texts) -> Texts:
    """One address in seven lacks its flat."""
    changed = addresses.copy()
    for place in np.flatnonzero(
        (rng.random(len(addresses)) < 0.15) & np.not_equal(addresses, None)
    ):
        changed[place] = str(addresses[place]).split("号")[0] + "号"
    return changed


def _texts(pattern: str, values: Any) -> Texts:
    return np.array([pattern.format(value) for value in values], dtype=object)


def _cut(texts: Texts, start: int, end: int) -> Texts:
    return np.array([text[start:end] for text in texts], dtype=object)


def main() -> None:
    """Train the shipped model and write it."""
    import duckdb

    from zhongtai.identity.matching import load_declaration, save_model, train

    with duckdb.connect() as connection:
        connection.register("pieces", make_pieces(**TRAINED_ON))
        model = train(
            connection,
            "pieces",
            load_declaration(DECLARATION_FILE),
            "(select cluster_key, person from pieces)",
            description="made-up pieces of persons: " + str(TRAINED_ON),
        )
    save_model(model, MODEL_FILE)


if __name__ == "__main__":
    main()
