"""What was removed where, without saying of whom: signed, so that nobody writes one afterwards."""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zhongtai.crash_points import reach
from zhongtai.erasure.key import FOLDER, Key, read_key
from zhongtai.erasure.tombstones import Erasure
from zhongtai.errors import ConfigurationError
from zhongtai.ingest.parts import place_file
from zhongtai.settings import Settings


@dataclass
class Removal:
    """What went, counted by layer; `landing` and `destinations` are for people to follow up."""

    counts: dict[str, int] = field(default_factory=dict)
    landing: list[str] = field(default_factory=list)
    destinations: list[str] = field(default_factory=list)
    is_log_clean: bool = True

    def add(self, layer: str, count: int) -> None:
        """Count what went of a layer."""
        self.counts[layer] = self.counts.get(layer, 0) + count


def write_report(settings: Settings, erasures: Sequence[Erasure], removal: Removal) -> Path:
    """Write the report of erasures that were completed together; returns its file."""
    content: dict[str, Any] = {
        "erasures": [
            {
                "erasure_id": one.erasure_id,
                "asked_by": one.asked_by,
                "author": one.author,
                "because": one.reason,
                "recorded_at": one.recorded_at.astimezone(UTC).isoformat(),
            }
            for one in erasures
        ],
        "completed_at": datetime.now(UTC).isoformat(),
        **asdict(removal),
    }
    signed = {**content, "signature": _sign(read_key(settings), content)}
    file = settings.path(FOLDER, f"report-{erasures[-1].erasure_id}.json")
    staged = file.with_name(f".{file.name}")
    staged.touch(mode=0o600)
    staged.write_text(json.dumps(signed, ensure_ascii=False, indent=1), "utf-8")
    place_file(staged, file)
    reach("erase.report_written")
    return file


@dataclass(frozen=True)
class Report:
    """A report as it stands in a file, and whether this home signed it so."""

    file: Path
    content: Mapping[str, Any]
    is_genuine: bool


def list_reports(settings: Settings) -> list[Path]:
    """The files of all reports of the home, the oldest first."""
    files = settings.path(FOLDER).glob("report-*.json")
    return sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name))


def check_report(settings: Settings, file: Path) -> Report:
    """Read a report and compare its signature.

    Raises ConfigurationError where the file is none, ZhongtaiError where the key is gone.
    """
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _no_report(file) from error
    if not isinstance(content, dict) or not {"erasures", "counts"} <= content.keys():
        raise _no_report(file)
    signature = str(content.pop("signature", ""))
    expected = _sign(read_key(settings), content)
    return Report(file, content, hmac.compare_digest(signature.encode(), expected.encode()))


def _no_report(file: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{file} is no report of an erasure", hint="reports are <home>/erasure/report-*.json"
    )


def _sign(key: Key, content: Mapping[str, Any]) -> str:
    return key.sign(json.dumps(content, ensure_ascii=False, sort_keys=True))
