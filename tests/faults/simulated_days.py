"""One seed: thirty days, or fewer, of files, mishaps, crashes and decisions, each day compared."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from simulated_decisions import Published
from simulated_landing import Shore
from simulated_ledger import File, Ledger, Row, Rules
from simulated_persons import find_persons, known_records
from simulated_product import Product, marks_as_values
from simulated_snapshots import Publication
from simulated_world import (
    COMPLETION,
    IMMUTABLE,
    SHANGHAI,
    START,
    Cells,
    World,
    cut_short,
    rename_key,
)

from zhongtai.contracts import Contracts

Catalogue = Callable[[frozenset[str]], Contracts]
# what befalls a file, and how often
_MISHAPS = {
    "none": 10, "late": 2, "repeated": 2, "renamed": 1, "cut": 2, "sent_again": 2,
    "marker_first": 1, "marker_late": 1, "wrong_manifest": 2, "in_flight": 1,
}  # fmt: skip


@dataclass
class Simulation:
    """The days of one seed. Without `is_disturbed` no process dies: the same files, in peace."""

    seed: int
    days: int
    product: Product
    catalogue: Catalogue
    is_disturbed: bool = True
    publication: Publication | None = None
    files_a_day: int = 3
    publish_every: int = 1
    day: int = 0
    step: str = "start"
    how: str = "make simulate"
    changes: frozenset[str] = frozenset()
    later: dict[int, list[Callable[[], None]]] = field(default_factory=lambda: defaultdict(list))
    sent: dict[str, File] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = Random(f"days {self.seed}")  # noqa: S311
        self.crashes = Random(f"crashes {self.seed}")  # noqa: S311
        headers = {
            name: [column.delivered for column in contract.columns]
            for name, contract in self.catalogue(frozenset()).items()
        }
        self.world = World(self.seed, headers)
        self.ledger = Ledger(COMPLETION, IMMUTABLE, self.product.settings.archive)
        self.shore = Shore(Path(self.product.settings.landing_url), self.ledger)
        self.published = self.publication and Published(
            self.seed, self.publication, self.world, self.ledger
        )
        self.erase_on = self.random.randrange(self.days * 2)

    @property
    def rules(self) -> Rules:
        """What the contracts of the moment say, as the model knows them."""
        return Rules("new_header" in self.changes, "wants_phone" in self.changes)

    @property
    def as_of(self) -> datetime:
        """The end of the day."""
        return (START + timedelta(days=self.day, hours=23)).astimezone(UTC)

    def run(self) -> None:
        """Live all days. Raises AssertionError that tells how to see a difference again."""
        try:
            while self.day < self.days:
                self._live()
                self.day += 1
            self.step = "the end"
            self._compare(self.product.raw_rows(), self._expected_rows(), "the raw zone")
        except Exception as error:
            raise AssertionError(
                f"seed {self.seed} diverged on day {self.day} at {self.step}; see it again with"
                f" `{self.how}`\n{error}"
            ) from error

    def _live(self) -> None:
        for due in self.later.pop(self.day, []):
            due()
        for entity in self.random.sample(sorted(COMPLETION), self.files_a_day):
            self._send(entity)
        if self.published and self.random.random() < 0.5:
            for entity, drawn in self.published.introduce(self.day):
                self._send(entity, drawn)
        self._change_contracts()
        self._drain()
        if self.random.random() < 0.25:
            self.step = "replay"
            self.product.replay(self.as_of, kill_at=self._kill_at(60))
            self.ledger.replay(self.as_of, self.rules)
        if self.day == self.erase_on:
            self._erase()
        self._compare(self.product.lines(), self.ledger.lines(), "the ledger")
        if self.published and self.day % self.publish_every == self.publish_every - 1:
            self._publish(self.published)

    def _publish(self, published: Published) -> None:
        """Publish the day, then let people decide and roll back."""
        self.step = "publish"
        published.publish(self.as_of, self._kill_at(700))
        self._compare_persons(published)
        self.step = published.decide()
        if self.random.random() < 0.3:
            self.step = "roll back"
            published.roll_back(self._kill_at(40))
            self._compare_persons(published)

    def _compare_persons(self, published: Published) -> None:
        found, expected = published.compare()
        for store, persons in expected.items():
            shown = dict.fromkeys(found.get(store, ()), 1)
            self._compare(shown, dict.fromkeys(persons, 1), f"what {store} shows")

    def _drain(self) -> None:
        sources = sorted({name.split(".")[0] for name in COMPLETION})
        chosen = self.random.sample(sources, 2) if self.random.random() < 0.2 else [None]
        for source in chosen:
            self.step = f"ingest {source or 'all'}"
            self.product.drain(self.as_of, source, kill_at=self._kill_at(150))
            self.ledger.drain(self.as_of, self.rules, source)

    def _kill_at(self, most: int) -> int:
        """At which call a process dies; 0 where none does."""
        dies = self.crashes.random() < 0.5
        at = self.crashes.randint(1, most)
        return at if dies and self.is_disturbed else 0

    def _change_contracts(self) -> None:
        """At times the contract of contacts changes; what it refused is replayed now and then."""
        for change, share in (("added", 0.1), ("new_header", 0.1), ("wants_phone", 0.15)):
            if self.random.random() < share:
                is_on = change in self.changes
                if not is_on or change == "wants_phone":
                    self.changes ^= {change}
        self.world.has_added_column |= self.random.random() < 0.2
        self.product.contracts = self.catalogue(self.changes)

    def _erase(self) -> None:
        self.step = "erase"
        if self.published:
            self.published.erase(self.as_of, self._kill_at(400))
            return
        records = known_records(self.ledger.rows())
        found = find_persons(records, {})
        if not found:
            return
        person = self.random.choice(sorted(found, key=sorted))
        names = set().union(*(records[record] for record in person))
        values = {(self.world.kinds[name], name) for name in names} | marks_as_values(set(person))
        self.product.erase(self.as_of, values, kill_at=self._kill_at(300))
        self.ledger.erase(names, set(person))

    def _send(self, entity: str, drawn: Sequence[tuple[Row, Cells]] = ()) -> None:
        """A file of today, of these rows or of new ones, and what befalls it."""
        drawn = drawn or self.world.draw(entity, self.day, self.random.randint(1, 5))
        completion = COMPLETION[entity]
        suffix = {"app": "jsonl.gz", "miniprogram": "jsonl", "website": "csv.gz"}
        source, _, name = entity.partition(".")
        label = f"{source}/{name}/day {self.day:02d}/{name}-{self.world.ticks}"
        label += f".{suffix.get(source, 'csv')}"
        file = self.world.file(entity, label, drawn, self.world.moment(self.day))
        if entity == "crm.contacts" and self.random.random() < 0.2:
            file = rename_key(file)
        mishap = self.random.choices(list(_MISHAPS), list(_MISHAPS.values()))[0]
        self.step = f"{label} ({mishap})"
        self._befall(mishap, file, completion)
        self.sent[label] = file

    def _befall(self, mishap: str, file: File, completion: str) -> None:
        exported = file.modified
        match mishap:
            case "late":
                self._later(lambda: self.shore.deliver(self._now(file), exported), 3)
            case "repeated" | "renamed" | "sent_again" if self.sent:
                self.shore.deliver(file, exported)
                self._come_again(mishap)
            case "cut":
                self.shore.deliver(cut_short(file), exported, told=file)
                self._later(lambda: self.shore.replace(self._now(file), self._exported()), 2)
            case "marker_first" if completion == "done":
                self.shore.mark_done(file.label, file.modified)
                self._later(lambda: self.shore.write(self._now(file)), 2)
            case "marker_late":
                self.shore.write(file)
                self._later(lambda: self.shore.complete(file, self._exported()), 2)
            case "wrong_manifest" if completion == "manifest":
                self.shore.write(file)
                self.shore.tell(file, exported, rows_too_many=1)
                self._later(lambda: self.shore.tell(file, self._exported()), 2)
            case "in_flight":
                self.shore.begin(file)
                self._later(lambda: self.shore.finish(self._now(file), self._exported()), 2)
            case _:
                self.shore.deliver(file, exported)

    def _come_again(self, mishap: str) -> None:
        """A file that was sent before: once more, under another name, or with other bytes."""
        earlier = self.sent[self.random.choice(sorted(self.sent))]
        match mishap:
            case "repeated":
                self.shore.deliver(self._now(earlier), self._exported())
            case "renamed":
                label = earlier.label.replace("/day", f"/copy {self.world.ticks} of day")
                self.shore.deliver(self._now(replace(earlier, label=label)), self._exported())
            case _:
                drawn = self.world.draw(earlier.entity, self.day, self.random.randint(1, 4))
                moment = self.world.moment(self.day)
                file = self.world.file(earlier.entity, earlier.label, drawn, moment)
                self.shore.replace(file, file.modified)
                self.sent[file.label] = file

    def _later(self, due: Callable[[], None], days: int) -> None:
        self.later[self.day + self.random.randint(1, days)].append(due)

    def _now(self, file: File) -> File:
        """The file as it looks when it is written today."""
        return replace(file, modified=self._exported())

    def _exported(self) -> datetime:
        return self.world.moment(self.day).astimezone(UTC)

    def _expected_rows(self) -> Mapping[tuple[str, str, str], int]:
        return Counter(
            (
                entity,
                row.key,
                row.updated.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
                if row.updated
                else "",
            )
            for entity, row in self.ledger.rows()
        )

    @staticmethod
    def _compare(found: Mapping[Any, int], expected: Mapping[Any, int], what: str) -> None:
        """Both count the same things. Raises AssertionError with what only one of them has."""
        if found == expected:
            return
        found, expected = Counter(found), Counter(expected)
        only_found = sorted((found - expected).items(), key=repr)
        only_expected = sorted((expected - found).items(), key=repr)
        lines = [f"  only the product has {line}" for line in only_found[:8]]
        lines += [f"  only the model has   {line}" for line in only_expected[:8]]
        raise AssertionError("\n".join([f"{what} differs", *lines]))
