"""YAML with line numbers, so that every complaint about a contract says where to look."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TypeGuard

import yaml

from zhongtai.errors import ConfigurationError

# libyaml's loader is seven times as fast; a wheel without it has the other
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HINT = "docs/adding.md describes the contract format; any file in expectations/raw is an example"


class Section:
    """A YAML mapping whose values are read by type; a wrong one raises with file and line."""

    def __init__(self, node: yaml.MappingNode, file: Path, title: str, hint: str = HINT) -> None:
        self._node = node
        self.file = file
        self.title = title
        self.hint = hint
        self._values: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not _is_text(key):
                raise self.error(f"{title} has a key that is not a text", key)
            if key.value in self._values:
                raise self.error(f"{title} says {key.value!r} twice", key)
            self._values[key.value] = value

    @classmethod
    def of_file(cls, file: Path, title: str = "the contract", hint: str = HINT) -> "Section":
        """The top of a YAML file. Raises ConfigurationError where it is no mapping.

        `title` names the document in complaints, `hint` says where its format is described.
        """
        try:
            node = yaml.compose(file.read_text("utf-8"), Loader=_LOADER)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file} is no readable YAML: {error}", hint=hint) from error
        if not isinstance(node, yaml.MappingNode):
            raise ConfigurationError(f"{file}:1: expected a mapping at the top", hint=hint)
        return cls(node, file, title, hint)

    @property
    def line(self) -> int:
        """Where the section starts, counted from 1."""
        return int(self._node.start_mark.line) + 1

    def error(self, what: str, node: yaml.Node | None = None) -> ConfigurationError:
        """An error that points at `node`, or at the section itself."""
        line = (node or self._node).start_mark.line + 1
        return ConfigurationError(f"{self.file}:{line}: {what}", hint=self.hint)

    def error_at(self, key: str, what: str) -> ConfigurationError:
        """An error that points at the value of `key`."""
        return self.error(what, self._values.get(key))

    def keys(self) -> Iterator[str]:
        """The keys as written."""
        return iter(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def expect_keys(self, allowed: Collection[str]) -> None:
        """Raise for a key that has no meaning here."""
        for key, value in self._values.items():
            if key not in allowed:
                expected = ", ".join(sorted(allowed))
                raise self.error(
                    f"{self.title}: unknown {key!r}, expected one of {expected}", value
                )

    def text(self, key: str, default: str | None = None) -> str:
        """A text that is not blank; raises where it is missing and has no default."""
        node = self._values.get(key)
        if node is None:
            if default is None:
                raise self.error(f"{self.title}: {key!r} is missing")
            return default
        if not _is_text(node) or not node.value.strip():
            raise self.error(f"{self.title}: {key!r} must be a text that is not blank", node)
        return str(node.value)

    def character(self, key: str) -> str | None:
        """Exactly one character, a tab for instance; None where it is not said."""
        node = self._values.get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode) or len(node.value) != 1:
            raise self.error(f"{self.title}: {key!r} must be one character", node)
        return str(node.value)

    def choice(self, key: str, allowed: Collection[str], default: str | None = None) -> str:
        """One of the allowed words."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.error_at(
                key, f"{self.title}: {key} is {value!r}, expected one of {', '.join(allowed)}"
            )
        return value

    def value(self, key: str) -> Any:
        """Whatever YAML makes of the value: a text, number, flag, date, list or mapping."""
        node = self._values.get(key)
        if node is None:
            raise self.error(f"{self.title}: {key!r} is missing")
        return yaml.constructor.SafeConstructor().construct_document(node)

    def holds_mapping(self, key: str) -> bool:
        """Whether `section` can read the value of `key`."""
        return isinstance(self._values.get(key), yaml.MappingNode)

    def flag(self, key: str) -> bool:
        """`true` or `false`; false where it is not said."""
        node = self._values.get(key)
        if node is None:
            return False
        if node.tag != "tag:yaml.org,2002:bool":
            raise self.error(f"{self.title}: {key!r} must be true or false", node)
        return str(node.value).lower() == "true"

    def integer(self, key: str, default: int) -> int:
        """A whole number from 0."""
        node = self._values.get(key)
        if node is None:
            return default
        if node.tag != "tag:yaml.org,2002:int" or not str(node.value).isdigit():
            raise self.error(f"{self.title}: {key!r} must be a whole number from 0", node)
        return int(node.value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of different texts; empty where it is not said."""
        node = self._values.get(key)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(f"{self.title}: {key!r} must be a list", node)
        found: list[str] = []
        for item in node.value:
            if not isinstance(item, yaml.ScalarNode) or not item.value:
                raise self.error(f"{self.title}: {key!r} must hold texts only", item)
            if item.value in found:
                raise self.error(f"{self.title}: {key!r} says {item.value!r} twice", item)
            found.append(item.value)
        return tuple(found)

    def section(self, key: str) -> "Section":
        """A mapping below this one; raises where it is missing."""
        node = self._values.get(key)
        if not isinstance(node, yaml.MappingNode):
            raise self.error(f"{self.title}: {key!r} must be a mapping", node)
        return Section(node, self.file, f"{key!r}", self.hint)

    def sections(self, key: str) -> Iterator["Section"]:
        """The mappings of a list."""
        node = self._values.get(key)
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(f"{self.title}: {key!r} must be a list", node)
        for item in node.value:
            if not isinstance(item, yaml.MappingNode):
                raise self.error(f"{self.title}: {key!r} must hold mappings only", item)
            yield Section(item, self.file, f"{key!r}", self.hint)


def _is_text(node: yaml.Node) -> TypeGuard[yaml.ScalarNode]:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:str"
