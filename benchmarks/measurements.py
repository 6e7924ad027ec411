"""What a benchmark returns: seconds beside the floor that was measured in the same run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """One entry. `budget_ratio` is the limit of seconds / floor_seconds; None where none is set."""

    name: str
    seconds: float
    floor: str
    floor_seconds: float
    budget_ratio: float | None
    peak_mb: float | None = None
    budget_mb: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times the floor was needed."""
        return self.seconds / self.floor_seconds

    @property
    def verdict(self) -> str:
        """PASS or OVER; a dash where no budget is set."""
        if self.budget_ratio is None:
            return "—"
        heavy = self.budget_mb is not None and (self.peak_mb or 0) > self.budget_mb
        return "OVER" if heavy or self.ratio > self.budget_ratio else "PASS"


@dataclass(frozen=True)
class Breakdown:
    """Where the time of a run went: (what, seconds) in order, and the slowest dbt nodes."""

    name: str
    steps: tuple[tuple[str, float], ...]
    nodes: tuple[tuple[str, float], ...]
    node_count: int
    node_seconds: float
