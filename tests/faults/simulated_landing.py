"""What the sources write to the landing zone, on disk and in the model alike."""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from simulated_ledger import File, Ledger, Manifest


@dataclass
class Shore:
    """The landing zone under `root`, and what the model knows to lie there."""

    root: Path
    ledger: Ledger
    manifests: int = 0

    def deliver(self, file: File, exported: datetime, told: File | None = None) -> None:
        """Write a file and whatever makes it complete; the manifest may tell of another one."""
        self.write(file)
        self.complete(told or file, exported, marked=file.modified)

    def replace(self, file: File, exported: datetime) -> None:
        """Write other bytes under an old name: first goes what made the old ones complete."""
        path = self.root / file.label
        path.with_name(f"{path.name}.done").unlink(missing_ok=True)
        self.ledger.done.pop(file.label, None)
        for manifest in path.parent.glob(f"{path.name}.*.manifest.json"):
            manifest.unlink()
        self.ledger.manifests.pop(file.label, None)
        self.deliver(file, exported)

    def write(self, file: File) -> None:
        """The data alone."""
        path = self.root / file.label
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        _touch(path, file.modified)
        self.ledger.files[file.label] = file

    def begin(self, file: File) -> None:
        """Half of the data, under a name that says so."""
        path = self.root / f"{file.label}.part"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content[: len(file.content) // 2])

    def finish(self, file: File, exported: datetime) -> None:
        """The rest of it, and its name."""
        path = self.root / f"{file.label}.part"
        path.write_bytes(file.content)
        _touch(path, file.modified)
        path.rename(self.root / file.label)
        self.ledger.files[file.label] = file
        self.complete(file, exported)

    def complete(self, file: File, exported: datetime, marked: datetime | None = None) -> None:
        """What says that the file is complete."""
        match self.ledger.completion[file.entity]:
            case "done":
                self.mark_done(file.label, marked or exported)
            case "manifest":
                self.tell(file, exported)

    def mark_done(self, label: str, at: datetime) -> None:
        """The empty file beside the data."""
        path = self.root / f"{label}.done"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        _touch(path, at)
        self.ledger.done[label] = at

    def tell(self, file: File, exported: datetime, rows_too_many: int = 0) -> None:
        """A manifest that names the file."""
        self.manifests += 1
        rows = file.countable + rows_too_many
        folder, _, name = file.label.rpartition("/")
        manifest = f"{name}.{self.manifests:04d}.manifest.json"
        source, entity = file.label.split("/")[:2]
        entry = {"name": name, "bytes": len(file.content), "sha256": file.digest, "rows": rows}
        told = {"source": source, "entity": entity, "exported_at": exported.isoformat()}
        path = self.root / folder / manifest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**told, "files": [entry]}), "utf-8")
        self.ledger.manifests.setdefault(file.label, []).append(
            Manifest(exported, f"{folder}/{manifest}", len(file.content), file.digest, rows)
        )


def _touch(path: Path, at: datetime) -> None:
    ns = int(at.timestamp()) * 1_000_000_000
    os.utime(path, ns=(ns, ns))
