"""A trained model: what each agreement weighs, and how frequent each term is, as one JSON file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zhongtai.errors import ConfigurationError
from zhongtai.identity.matching.declaration import Declaration
from zhongtai.identity.matching.levels import levels_of

FORMAT = 1


@dataclass(frozen=True)
class Weighed:
    """One level: its share among pairs of one person (m) and of two persons (u)."""

    label: str
    m: float
    u: float


@dataclass(frozen=True)
class Frequencies:
    """How frequent terms are among all rows; what is not listed counts as `otherwise`.

    Only terms of several rows are listed, so a model file names nobody.
    """

    terms: Mapping[str, float]
    otherwise: float


@dataclass(frozen=True)
class Model:
    """What scoring needs beside the declaration. The same model gives the same probabilities."""

    declaration: str
    declaration_hash: str
    splink: str
    trained_at: str  # ISO 8601, UTC
    trained_on: str
    rows: int
    labels: int
    prior: float  # the probability that two random rows are one person
    comparisons: Mapping[str, tuple[Weighed, ...]]  # best level first, "different" last
    frequencies: Mapping[str, Frequencies]  # by feature

    @property
    def content_hash(self) -> str:
        """The hash of everything that a probability depends on, and of nothing else."""
        content = asdict(self)
        for circumstance in ("trained_at", "trained_on", "splink", "rows", "labels"):
            del content[circumstance]
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def save_model(model: Model, file: Path) -> None:
    """Write a model, readable and with its content hash."""
    content = {"format": FORMAT, "content_hash": model.content_hash, **asdict(model)}
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def load_model(file: Path) -> Model:
    """Read a model. Raises ConfigurationError where it is unreadable or was changed by hand."""
    hint = "train it anew (docs/matching.md)"
    try:
        content: dict[str, Any] = json.loads(file.read_text("utf-8"))
        if content["format"] != FORMAT:
            raise ConfigurationError(
                f"{file} is a matching model of format {content['format']}, expected {FORMAT}",
                hint=hint,
            )
        model = _read_model(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{file} is no matching model: {error!r}", hint=hint) from error
    if content["content_hash"] != model.content_hash:
        raise ConfigurationError(
            f"{file} says content hash {content['content_hash']}, its content has"
            f" {model.content_hash}",
            hint="a model is trained, not edited: take the file as it was, or " + hint,
        )
    return model


def check_model(model: Model, declaration: Declaration) -> None:
    """Raise ConfigurationError where the model was trained for other comparisons."""
    expected = {
        comparison.name: (*(level.label for level in levels_of(comparison)), "different")
        for comparison in declaration.comparisons
    }
    found = {
        name: tuple(level.label for level in levels) for name, levels in model.comparisons.items()
    }
    if expected != found or model.declaration_hash != declaration.content_hash:
        differing = sorted(
            name for name in expected | found if expected.get(name) != found.get(name)
        )
        raise ConfigurationError(
            f"the model was trained for other comparisons than {declaration.name} declares:"
            f" {', '.join(differing) or 'their options'} differ",
            hint="train a model for the declaration (docs/matching.md)",
        )


def _read_model(content: dict[str, Any]) -> Model:
    return Model(
        declaration=content["declaration"],
        declaration_hash=content["declaration_hash"],
        splink=content["splink"],
        trained_at=content["trained_at"],
        trained_on=content["trained_on"],
        rows=content["rows"],
        labels=content["labels"],
        prior=content["prior"],
        comparisons={
            name: tuple(Weighed(**level) for level in levels)
            for name, levels in content["comparisons"].items()
        },
        frequencies={name: Frequencies(**table) for name, table in content["frequencies"].items()},
    )
