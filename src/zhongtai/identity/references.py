"""How people name a source record: SOURCE:ENTITY:KEY."""

from dataclasses import dataclass

from zhongtai.errors import ConfigurationError


@dataclass(frozen=True, order=True)
class Reference:
    """One source record, by the names under which it is published."""

    source: str
    entity: str
    record_key: str

    def __str__(self) -> str:
        return f"{self.source}:{self.entity}:{self.record_key}"


def is_reference(text: str) -> bool:
    """Whether the text names a record, not a person."""
    return ":" in text


def parse_reference(text: str) -> Reference:
    """Read SOURCE:ENTITY:KEY; the key may hold colons. Raises ConfigurationError for less."""
    parts = [part.strip() for part in text.split(":", 2)]
    if len(parts) != 3 or not all(parts):
        raise ConfigurationError(
            f"{text!r} names no record, expected SOURCE:ENTITY:KEY",
            hint="for instance crm:leads:L-1, as in profiles.bridge_user_records",
        )
    return Reference(*parts)
