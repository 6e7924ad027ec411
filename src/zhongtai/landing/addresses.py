"""Where a landing zone is, told without its secrets, and what is wrong when it cannot be opened."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from zhongtai.addresses import masked, masked_within
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.printable import printable, printable_path

_USER_INFO = re.compile(r"://[^:/]*:(.*)@", re.DOTALL)
_SECRET_OPTION = re.compile("secret|passw|passphrase|token|key$", re.IGNORECASE)
_SHORTEST_SECRET = 3
ZONE = "the landing zone"


class UnreachableError(ZhongtaiError):
    """A server that does not answer now, and may do so later."""


@dataclass(frozen=True)
class _Fault:
    """Errors, by class name since their libraries need not be installed, and what they mean."""

    kinds: frozenset[str]
    meaning: str
    hint: str
    quotes: bool = False  # the library's own words, which may quote the URL
    may_pass: bool = False  # nothing need be set otherwise


# The first that fits is told.
_FAULTS = (
    _Fault(
        frozenset({"ImportError"}),
        "needs a library that is not installed",
        "install it with pip into the environment of zhongtai",
        quotes=True,
    ),
    _Fault(
        frozenset(
            {
                *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"),
                *("ProfileNotFound", "TokenRetrievalError"),
                *("SSOTokenLoadError", "UnauthorizedSSOTokenError"),
            }
        ),
        "cannot be opened: no credentials were found",
        "set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a role of the machine, or"
        " FSSPEC_S3_KEY and FSSPEC_S3_SECRET",
    ),
    _Fault(
        frozenset({"BadHostKeyException", "UnknownHostKey"}),
        "is on a host whose key is not the known one, or not known at all",
        "compare the key with its owner's, then add it: ssh-keyscan -p PORT HOST >>"
        " ~/.ssh/known_hosts",
    ),
    _Fault(
        frozenset({"AuthenticationException", "PermissionError"}),
        "refuses us: access denied",
        "check user, key and rights; zhongtai lists and reads a landing zone (and deletes there,"
        " with ZHONGTAI_ARCHIVE=true), and writes to a raw zone as well",
    ),
    _Fault(
        frozenset({"FileNotFoundError"}),
        "does not exist",
        "create the bucket or folder, or correct the URL",
    ),
    _Fault(
        frozenset(
            {
                *("ConnectionError", "NoValidConnectionsError", "SSHException", "gaierror"),
                *("EOFError", "FSTimeoutError", "HTTPClientError", "TimeoutError"),
            }
        ),
        "cannot be reached",
        "check host, port and network, and run again",
        quotes=True,
        may_pass=True,
    ),
    _Fault(
        frozenset({"TypeError", "ValueError", "ParamValidationError"}),
        "is no URL that can be opened",
        "for instance s3://bucket/folder or sftp://user@host:22/folder; other options belong into"
        " the configuration of fsspec",
    ),
)
# Paramiko has no class of its own for a server that was offered nothing.
_NOTHING_OFFERED = "No authentication methods available"


@contextmanager
def explaining(url: str, what: str = ZONE) -> Iterator[None]:
    """Raise what a library raises about a zone elsewhere as an error that a person understands.

    What is said about a single file or its name goes through, FileNotFoundError for instance.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, PermissionError, UnicodeDecodeError):
        raise
    except ZhongtaiError:
        raise
    except Exception as error:
        # a traceback would quote it, and it may quote the URL
        raise explain(url, error, what) from None


@contextmanager
def reading(url: str, location: str) -> Iterator[None]:
    """The same where a file is read from a zone that was open before: run again, change nothing."""
    try:
        with explaining(url):
            yield
    except ZhongtaiError as error:
        name = printable_path(location.rpartition("/")[2])
        raise ZhongtaiError(
            f"{error.message}, while {name} was read",
            hint="run again: nothing of the file was taken in",
        ) from None


def explain(url: str, error: Exception, what: str = ZONE) -> ZhongtaiError:
    """What is wrong with a zone elsewhere, and what to do about it; never with a secret."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if _NOTHING_OFFERED in str(error):
        kinds = {"AuthenticationException"}
    zone = f"{what} {masked(url)}"
    for fault in _FAULTS:
        if kinds & fault.kinds:
            said = f": {_text(url, error)}" if fault.quotes else ""
            kind = UnreachableError if fault.may_pass else ConfigurationError
            return kind(f"{zone} {fault.meaning}{said}", hint=fault.hint)
    return ZhongtaiError(
        f"{zone} failed: {_text(url, error)}", hint="run again; ask its owner if it stays"
    )


def unknown_protocol(url: str) -> ConfigurationError:
    """No library opens such URLs."""
    protocol = printable(url.partition("://")[0].rpartition("::")[2], 20)
    return ConfigurationError(
        f"the landing zone {masked(url)}: there is no file system {protocol}://",
        hint="give a folder, an s3:// or an sftp:// URL, or another one that fsspec knows",
    )


def _text(url: str, error: Exception) -> str:
    """The error's own words on one line, without the secrets that we know of."""
    text = " ".join(str(error).split())
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = text.replace(secret, "***")
    return printable(masked_within(text), 200) or type(error).__name__


def _secrets(url: str) -> set[str]:
    from fsspec.config import conf

    found = {*_USER_INFO.findall(url), *_secret_options(conf)}
    found |= {unquote(secret) for secret in found}
    found |= {" ".join(secret.split()) for secret in found}
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _secret_options(options: Mapping[str, Any]) -> Iterator[str]:
    """The secrets in a configuration, however deep: `client_kwargs` holds options of its own."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _secret_options(value)
        elif value and _SECRET_OPTION.search(name):
            yield str(value)
