"""Why two persons are two: links that were refused, values that are no evidence, doubts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zhongtai.identity.decisions import Decision
from zhongtai.identity.published_map import PublishedMap, Trace
from zhongtai.identity.references import Reference
from zhongtai.identity.subjects import Subject

_MEANINGS = {
    "hub": "the value belongs to nobody: too many persons name it",
    "blocked": "the value identifies nobody",
    "too_many_values": "a record names more such values than a person has",
    "recycled": "the number went from one holder to another",
    "not_seen_for_long": "nobody used the value for so long that it may be somebody else's",
    "ambiguous": "several persons hold the value and nothing tells whose record it is",
    "different_holder": "somebody else proved to hold the value",
    "decision": "people decided that they are two persons",
    "backup_phone": "given as somebody else's to ask for",
    "unbound": "its owner took it back",
    "account_switch": "two persons used one device",
    "several_accounts": "several accounts use it",
    "typed_number": "typed for somebody else",
    "type_not_linking": "values of this type link nobody",
    "below_accept": "probable, not certain enough to join",
}


@dataclass(frozen=True)
class Refusal:
    """A link between two persons that was not made, and why."""

    record: Reference
    other_record: Reference
    identifier_type: str | None
    reason: str
    value: str | None = None
    meaning: str = ""


def tell_meaning(reason: str) -> str:
    """A reason in words."""
    told = reason.removeprefix("different_")
    if reason not in _MEANINGS and told != reason:
        return f"their {told.replace('_', ' ')} differs"
    return _MEANINGS.get(reason, reason.replace("_", " "))


@dataclass(frozen=True)
class Objections:
    """What speaks for two persons being one and was refused."""

    published: PublishedMap
    left: Subject
    right: Subject
    traces: Mapping[str, Sequence[Trace]]

    def find(self) -> tuple[Refusal, ...]:
        """Refused links, then shared values that are no evidence, then pairs in doubt.

        Those of the very records that were asked about come first.
        """
        found = [*self._links(), *self._shared(), *self._doubtful()]
        known: dict[tuple[object, ...], Refusal] = {}
        for one in found:
            known.setdefault((one.record, one.other_record, one.identifier_type, one.reason), one)
        return tuple(sorted(known.values(), key=self._is_elsewhere))

    def decisions(self) -> tuple[Decision, ...]:
        """The decisions that keep the two apart."""
        left, right = (
            {trace.reference for trace in self.traces.get(subject.one_id, ())}
            for subject in (self.left, self.right)
        )
        return tuple(
            d
            for d in self.published.applied("split")
            if (d.left in left and d.right in right) or (d.left in right and d.right in left)
        )

    def _is_elsewhere(self, one: Refusal) -> int:
        return 2 - (one.record in self.left.records) - (one.other_record in self.right.records)

    def _links(self) -> list[Refusal]:
        rows = self.published.select(
            "refused_links",
            "source, entity, record_key, other_source, other_entity, other_record_key,"
            " identifier_type, reason",
            "one_id = ? and other_one_id = ? order by all",
            self.left.one_id,
            self.right.one_id,
        )
        return [
            self._refuse(Reference(*row[:3]), Reference(*row[3:6]), row[6], row[7]) for row in rows
        ]

    def _refuse(
        self, record: Reference, other: Reference, identifier_type: str, reason: str
    ) -> Refusal:
        values = [
            {
                trace.value_key: trace.masked
                for trace in self.traces.get(subject.one_id, ())
                if trace.reference == one and trace.identifier_type == identifier_type
            }
            for subject, one in ((self.left, record), (self.right, other))
        ]
        shared = sorted(str(values[0][key]) for key in values[0].keys() & values[1].keys())
        return Refusal(
            record, other, identifier_type, reason, ", ".join(shared) or None, tell_meaning(reason)
        )

    def _shared(self) -> list[Refusal]:
        """Values that both name and that link nobody, one pair of records for each."""
        left = {t.value_key: t for t in self.traces.get(self.left.one_id, ()) if t.value_key}
        for trace in self.traces.get(self.left.one_id, ()):
            if trace.reference in self.left.records and trace.value_key:
                left[trace.value_key] = trace
        found: dict[int, Refusal] = {}
        for other in self.traces.get(self.right.one_id, ()):
            one = left.get(other.value_key) if other.value_key else None
            if one is None or other.value_key is None:
                continue
            standing = next((t.standing for t in (one, other) if t.standing != "link"), None)
            if standing and (other.value_key not in found or other.reference in self.right.records):
                found[other.value_key] = Refusal(
                    one.reference,
                    other.reference,
                    one.identifier_type,
                    standing,
                    one.masked,
                    tell_meaning(standing),
                )
        return list(found.values())

    def _doubtful(self) -> list[Refusal]:
        """Pairs that matching left to people."""
        left, right = (
            {trace.reference for trace in self.traces.get(subject.one_id, ())}
            for subject in (self.left, self.right)
        )
        keys = sorted({one.record_key for one in left | right})
        rows = self.published.select(
            "review_pairs",
            "source, entity, record_key, other_source, other_entity, other_record_key, reason,"
            " pair_id",
            f"record_key in ({', '.join('?' * len(keys))})",
            *keys,
        )
        found = []
        for row in rows:
            one, other = Reference(*row[:3]), Reference(*row[3:6])
            if one in right and other in left:
                one, other = other, one
            if one in left and other in right:
                meaning = f"alike; pair {row[7]} waits in `zhongtai identity review`"
                found.append(Refusal(one, other, None, row[6], None, meaning))
        return found
