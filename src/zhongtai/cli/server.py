"""The embedded PostgreSQL during a command: started on demand, stopped by who leaves last.

A command that had to start the server leaves a mark. Every command holds a shared lock; the one
that can get it exclusively at its end is the last, and stops the server if the mark is there.
`database start` and `up` take the mark away: then the server stays.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zhongtai.settings import Settings


def _mark(settings: "Settings") -> Path:
    return settings.path(".postgres_on_demand")


@contextmanager
def server_on_demand(settings: "Settings", *, keep: bool = False) -> Iterator[None]:
    """While the block runs the embedded server may be used; afterwards it is as it was before.

    With `keep` it stays up after a block that succeeds. A configured server is left alone.
    """
    from zhongtai.embedded_server import embedded_server_is_running
    from zhongtai.home import make_home

    if settings.database_url.get_secret_value():
        yield
        return
    make_home(settings)
    users = os.open(settings.path(".postgres_users"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(users, fcntl.LOCK_SH)
        if not embedded_server_is_running(settings):
            _mark(settings).touch()
        try:
            yield
        except BaseException:
            _stop_if_last(settings, users)
            raise
        if keep:
            _mark(settings).unlink(missing_ok=True)
        else:
            _stop_if_last(settings, users)
    finally:
        os.close(users)


def _stop_if_last(settings: "Settings", users: int) -> None:
    from zhongtai.embedded_server import stop_embedded_server

    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # another command is using the server and will stop it
        return
    if _mark(settings).exists():
        stop_embedded_server(settings)
        _mark(settings).unlink(missing_ok=True)
