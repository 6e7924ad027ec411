"""Whom a question is about: a record, a person, or an id that was retired into one."""

from dataclasses import dataclass

from zhongtai.identity.published_map import PublishedMap, refuse_unknown
from zhongtai.identity.references import Reference, is_reference, parse_reference


@dataclass(frozen=True)
class Subject:
    """What was asked about: the person, and which of the person's records are meant."""

    asked: str
    one_id: str
    records: frozenset[Reference]
    retired_one_id: str | None = None


def find_subject(published: PublishedMap, asked: str) -> Subject:
    """The person that a record or an id, retired or not, leads to.

    Raises ConfigurationError where it leads to nobody.
    """
    if is_reference(asked):
        reference = parse_reference(asked)
        found = published.find_one_id(reference)
        if found is None:
            raise refuse_unknown(asked)
        return Subject(asked, found, frozenset({reference}))
    living = published.read_traces(asked).get(asked)
    if living:
        return Subject(asked, asked, frozenset(trace.reference for trace in living))
    leads_to = published.follow(asked)
    if leads_to is None:
        raise refuse_unknown(asked)
    records = {trace.reference for trace in published.read_traces(leads_to)[leads_to]}
    past = published.read_past_of_person(asked)
    ended = max((period.valid_to for period in past if period.valid_to), default=None)
    brought = {period.reference for period in past if period.valid_to == ended}
    return Subject(asked, leads_to, frozenset(brought & records or records), asked)
