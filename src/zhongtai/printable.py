"""Text from outside in our own messages: on one line, of bounded length, storable everywhere."""

import unicodedata

# Control characters, marks that turn or hide text, surrogates, separators of lines.
_ESCAPED = ("Cc", "Cf", "Cs", "Zl", "Zp")


def printable(text: str, most: int = 120) -> str:
    r"""The text with everything escaped that a terminal, a log or PostgreSQL would choke on.

    Of more than `most` characters the beginning is kept.

    >>> printable("a\nb\x00")
    'a\\nb\\x00'
    """
    kept = "".join(_escape(char) for char in text[:most])
    return kept if len(text) <= most else f"{kept}… ({len(text)} characters)"


def printable_path(path: str) -> str:
    """A path as it is told and stored; paths that differ stay different.

    Nearly all stay as they are; bytes that are no UTF-8, control characters and backslashes are
    escaped.
    """
    return path if path.isprintable() and "\\" not in path else "".join(map(_escape_all, path))


def _escape_all(char: str) -> str:
    return "\\\\" if char == "\\" else _escape(char)


def _escape(char: str) -> str:
    if char.isprintable() or unicodedata.category(char) not in _ESCAPED:
        return char
    if "\udc80" <= char <= "\udcff":  # a byte that Python could not decode
        return f"\\x{ord(char) & 0xFF:02x}"
    return char.encode("unicode_escape").decode()
