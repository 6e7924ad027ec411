"""Deliver files to a landing zone as the sources do."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zhongtai.contracts import Contract, Contracts

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Landing:
    """Delivers files as the sources do, with whatever makes them complete."""

    root: Path
    contracts: Contracts

    def deliver(
        self,
        entity: str,
        rows: Sequence[Mapping[str, object]] | bytes,
        name: str = "",
        *,
        exported_at: str = "2026-03-05T12:00:00+08:00",
    ) -> Path:
        """Write rows (or bytes as they are) to `<source>/<entity>/<name>` and complete the file."""
        contract = self.contracts[entity]
        suffix = {"jsonl": "jsonl", "csv": "csv", "adf": "xml", "xlsx": "xlsx"}[contract.format]
        content = rows if isinstance(rows, bytes) else self.content(contract, rows)
        file = self.root / contract.source / contract.entity / (name or f"data.{suffix}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        if contract.completion == "done":
            file.with_name(f"{file.name}.done").touch()
        elif contract.completion == "manifest":
            self.name_in_manifest(file, exported_at=exported_at)
        return file

    def content(self, contract: Contract, rows: Sequence[Mapping[str, object]]) -> bytes:
        """The bytes of a JSON Lines or CSV file in the first encoding of the contract."""
        if contract.format == "jsonl":
            return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
        text = io.StringIO()
        writer = csv.DictWriter(text, [c.delivered for c in contract.columns])
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode(contract.encodings[0])

    def name_in_manifest(
        self, file: Path, *, exported_at: str = "2026-03-05T12:00:00+08:00", **wrong: object
    ) -> Path:
        """A manifest beside the file that names it alone; `wrong` replaces what is true."""
        content = file.read_bytes()
        entry = {
            "name": file.name,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        manifest = file.with_name(f"{file.name}.{exported_at[:19]}.manifest.json")
        source, entity = file.relative_to(self.root).parts[:2]
        manifest.write_text(
            json.dumps(
                {
                    "source": source,
                    "entity": entity,
                    "exported_at": exported_at,
                    "files": [{**entry, **wrong}],
                }
            )
        )
        return manifest
