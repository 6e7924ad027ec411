"""Addresses of landing zone, raw zone and servers as they may be told: without their secrets."""

import logging
import re

from zhongtai.printable import printable

# The last @ ends the password: one that is not encoded may hold anything.
_PASSWORD = re.compile(r"(://[^:@/]*):.*@", re.DOTALL)
# The user may hold an @ as well; after the one of user@host:22/in@box comes a port.
_PASSWORD_OF_MAIL = re.compile(r"(://[^:/]*@[^:/]*):(?!\d*(?:[/?#]|$)).*@", re.DOTALL)
# A protocol that is written wrongly must not bring a password to light.
_PASSWORD_OF_SLIP = re.compile(r"((?:^|[:/])[^:/@]*):.+@", re.DOTALL)
# There a user alone is a key or a token.
_KEY = re.compile(r"\b((?:s3a?|gs|gcs|https?)://)[^:/@]+@")
_QUERY = re.compile(r"\?.*", re.DOTALL)
_QUERY_OF_SLIP = re.compile(r"\?[^?]*=.*", re.DOTALL)
_WITHIN = re.compile(r"[A-Za-z][\w+.-]*://\S+")
_LONGEST = 300


def masked(url: str) -> str:
    """The URL as it may be told: without a password, and without what a query may hold.

    >>> masked("sftp://dealer:hunter2@files.example.com/out")
    'sftp://dealer:***@files.example.com/out'
    """
    return printable(_hide(url), _LONGEST)


def masked_within(text: str) -> str:
    """A text with all URLs in it masked; a URL does not go over the end of a line.

    >>> masked_within("cannot open s3://bucket/x?token=abc now")
    'cannot open s3://bucket/x?*** now'
    """
    lines = (_hide_passwords(line) for line in text.splitlines(keepends=True))
    return _WITHIN.sub(lambda found: _hide(found[0]), "".join(lines))


def holds_secret(url: str) -> bool:
    """Whether an address shows less when it is masked."""
    return _hide(url) != url


def hush_libraries() -> None:
    """Keep libraries of object stores from logging headers of requests: tokens are among them."""
    for name in ("botocore", "aiobotocore"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.INFO))


def _hide(url: str) -> str:
    if "://" in url:
        return _QUERY.sub("?***", _hide_passwords(url))
    return _QUERY_OF_SLIP.sub("?***", _PASSWORD_OF_SLIP.sub(r"\1:***@", url))


def _hide_passwords(text: str) -> str:
    text = _PASSWORD_OF_MAIL.sub(r"\1:***@", _PASSWORD.sub(r"\1:***@", text))
    return _KEY.sub(r"\1***@", text)
