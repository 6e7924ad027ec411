"""From a tag to the source columns that its rule reads, parsed from the rule."""

import csv
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from zhongtai.tags.catalogue import Tags
from zhongtai.tags.facts import FACTS
from zhongtai.tags.model import Attribute, Tag, leaves
from zhongtai.tags.origins import FACT_ORIGINS, PROFILE_ORIGINS, SURVIVOR_COLUMNS, SURVIVORS
from zhongtai.tags.plan import steps_of
from zhongtai.tags.queries import PERSONS
from zhongtai.tags.wants import Measure, Query, Score, Sequence, Wanted

PROFILE = "profile"
_OF_TIME = ("happened_at", "happened_on", "local_hour", "local_weekday")


def columns_of(tag: Tag) -> tuple[tuple[str, str], ...]:
    """The (fact, column) pairs that the rule itself names; of the profile the fact is `profile`.

    The time of a fact is always among them, for facts count until as-of only.
    """
    found = [pair for wanted in tag.wanted for pair in _columns_of(wanted)]
    found += [(PROFILE, leaf.name) for leaf in leaves(tag.rule) if isinstance(leaf, Attribute)]
    return tuple(sorted(set(found)))


def columns_read(tag: Tag, tags: Tags) -> tuple[str, ...]:
    """The source columns (`source.entity.column`) that the value rests on, parents included."""
    found = {origin for pair in columns_of(tag) for origin in origins_of(*pair, tags.project_dir)}
    for parent in tag.parents:
        found.update(columns_read(tags[parent], tags))
    return tuple(sorted(found))


def sources_of(tag: Tag, tags: Tags) -> tuple[str, ...]:
    """The sources a tag rests on, parents included, in name order."""
    found = {
        source
        for fact, _ in columns_of(tag)
        for source in (FACTS[fact].source.split(", ") if fact in FACTS else (fact,))
    }
    for parent in tag.parents:
        found.update(sources_of(tags[parent], tags))
    return tuple(sorted(found))


def origins_of(fact: str, column: str, project_dir: Path) -> tuple[str, ...]:
    """The source columns behind a column of a fact, or behind an attribute of the profile."""
    if fact == PROFILE:
        return _origins_of_attribute(column, project_dir)
    if fact not in FACTS:
        return (f"{fact}.{column}",)
    name = FACTS[fact].time if column in _OF_TIME else column
    told = FACT_ORIGINS.get(fact, {}).get(name)
    if told is not None:
        return told
    # of several entities the first is the main one, the others are told of where they have it
    return (f"{FACTS[fact].source.split(', ')[0]}.{name}",)


def _columns_of(wanted: Wanted) -> Iterator[tuple[str, str]]:
    if isinstance(wanted, Score):
        yield "fct_user_scores", wanted.give
    elif isinstance(wanted, Query):
        for relation, column in wanted.reads:
            if column not in ("one_id", "as_of"):
                yield (PROFILE if relation == PERSONS else relation), column
    elif isinstance(wanted, Sequence):
        for part in steps_of(wanted):
            yield part.fact, FACTS[part.fact].time
            yield from ((part.fact, condition.column) for condition in part.where)
    else:
        also = (wanted.per,) if isinstance(wanted, Measure) else (wanted.by,)
        named = (FACTS[wanted.fact].time, wanted.of, *also)
        yield from ((wanted.fact, column) for column in named if column)
        yield from ((wanted.fact, condition.column) for condition in wanted.where)


def _origins_of_attribute(name: str, project_dir: Path) -> tuple[str, ...]:
    if name in PROFILE_ORIGINS:
        return PROFILE_ORIGINS[name]
    name = SURVIVORS.get(name, name)
    entities = _survivorship(project_dir).get(name)
    if entities is None:
        # counted or derived over every record of the person
        return (f"{PROFILE}.{name}",)
    return tuple(f"{entity}.{SURVIVOR_COLUMNS.get((entity, name), name)}" for entity in entities)


@cache
def _survivorship(project_dir: Path) -> dict[str, list[str]]:
    """Attribute -> the entities that it may come from, as the seed file declares."""
    file = project_dir / "seeds" / "survivorship_sources.csv"
    found: dict[str, list[str]] = {}
    if not file.exists():
        return found
    with file.open(encoding="utf-8-sig", newline="") as opened:
        for row in csv.DictReader(opened):
            found.setdefault(row["attribute"], []).append(f"{row['source']}.{row['entity']}")
    return found
