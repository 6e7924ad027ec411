"""What is past its period leaves a landing zone elsewhere, or is named where it may not go."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from remote_cases import Line, Site
from test_landing_faults import line, site
from test_landing_remote import ingest

from zhongtai import retention
from zhongtai.contracts import Contracts
from zhongtai.landing import LandedFile, LandingZone
from zhongtai.runs import Run
from zhongtai.settings import Settings

from landing_cases import Landing

__all__ = ["line", "site"]  # fixtures

AS_OF = datetime(2026, 3, 10, 4, tzinfo=UTC)
FILE = "crm/leads/data.csv"


def lead(key: str, moment: str) -> dict[str, str]:
    return {"线索唯一ID": key, "线索创建时间": moment, "更新时间": moment}


@pytest.fixture
def away(site: Site, settings: Settings, contracts: Contracts, tmp_path: Path) -> Settings:
    """A home that took in, from a server, a row past its period and one within."""
    found = settings.model_copy(update={"landing": site.url})
    here = Landing(tmp_path / "source", contracts)
    rows = [lead("L-OLD", "2023-03-31 23:59:59"), lead("L-NEW", "2026-03-02 10:00:00")]
    here.deliver("crm.leads", rows)
    site.mirror(here.root)
    assert ingest(found, contracts).deliveries == 1
    return found


def expire(settings: Settings, contracts: Contracts, run: Run) -> list[str]:
    """What is told of the landing zone."""
    due = replace(run, as_of=AS_OF)
    return retention.remove_due(settings, contracts, due, lambda _: None).landing


def lying(site: Site) -> list[str]:
    files = [one.label for one in LandingZone(site.url).list() if isinstance(one, LandedFile)]
    return [label for label in files if label.endswith(".csv")]


def test_a_file_is_named_where_it_is_not_ours_and_goes_where_it_is(
    site: Site, away: Settings, contracts: Contracts, run: Run
) -> None:
    assert retention.count_expired(away, contracts, AS_OF).counts == {"crm.leads": (1, 0, 0)}
    assert expire(away, contracts, run) == [FILE]
    assert retention.count_expired(away, contracts, AS_OF).landing == [FILE]
    assert lying(site) == [FILE]
    ours = away.model_copy(update={"archive": True})
    assert expire(ours, contracts, run) == []
    assert lying(site) == []


def test_a_file_on_a_server_that_does_not_answer_goes_with_the_next_run(
    line: Line, site: Site, away: Settings, contracts: Contracts, run: Run
) -> None:
    ours = away.model_copy(update={"archive": True})
    line.cut_after = 0
    (told,) = expire(ours, contracts, run)
    assert told.startswith(f"{FILE} (perhaps: the landing zone {site.url} ")
    assert retention.count_expired(ours, contracts, AS_OF).counts == {}
    line.cut_after = None
    assert lying(site) == [FILE]
    assert ingest(ours, contracts).deliveries == 0
    assert lying(site) == []
