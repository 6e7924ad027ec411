"""Who may do what in PostgreSQL: one role for each job, and the rights of each.

A step acts as its role, whoever logged in. So a step that goes astray is refused by the server, and
a process that does one job only can be given a login that is a member of that one role.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources

import psycopg
from psycopg import errors, sql

from zhongtai.errors import ConfigurationError

# Takes files in; builds, checks and publishes; watches.
LOADER = "loader"
PUBLISHER = "publisher"
OPS = "ops"
# Who reads what is published.
READERS = {"metrics": ("bi_reader", "profile_reader"), "profiles": ("profile_reader",)}
ROLES = (LOADER, PUBLISHER, OPS, "bi_reader", "profile_reader")


def read_rights() -> str:
    """The statements that give each role what it needs, and nothing else; they may be repeated."""
    return resources.files("zhongtai").joinpath("rights.sql").read_text("utf-8")


def create_roles(connection: psycopg.Connection) -> None:
    """Create the roles that are missing, without login or password.

    Raises ConfigurationError when they are missing and the database user may not create roles.
    """
    for role in ROLES:
        if connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
            continue
        try:
            with connection.transaction():
                connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
        except (errors.DuplicateObject, errors.UniqueViolation):
            # another database of the same server made it in this moment
            continue
        except errors.InsufficientPrivilege as error:
            raise ConfigurationError(
                f"role {role} is missing and this database user may not create it",
                hint=f"let an administrator run: create role {role} nologin;"
                f" grant {role} to this user with admin option;",
            ) from error


def grant_rights(connection: psycopg.Connection) -> None:
    """Give every role its rights anew, on all that the database holds; the roles are there.

    Raises ConfigurationError when the database user may not act as the roles.
    """
    try:
        for role in ROLES:
            if not _may_act_as(connection, role):
                connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))
        connection.execute(read_rights().encode())
    except errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"the rights of the roles cannot be set: {error.diag.message_primary}",
            hint="let the owner of the database log in, who is a member of"
            f" {', '.join(ROLES)} with admin option",
        ) from error


def _may_act_as(connection: psycopg.Connection, role: str) -> bool:
    # before PostgreSQL 16 every member could
    kind = "set" if connection.info.server_version >= 160000 else "member"
    row = connection.execute("select pg_has_role(current_user, %s, %s)", [role, kind]).fetchone()
    return bool(row and row[0])


def act_as(connection: psycopg.Connection, role: str) -> None:
    """Let the session do what the role may, until it ends.

    Raises ConfigurationError when the database user is no member of the role.
    """
    try:
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
    except errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"this step acts as {role}, and the database user may not",
            hint=f"let an administrator run: grant {role} to the user of ZHONGTAI_DATABASE_URL;",
        ) from error


@contextmanager
def acting_as(connection: psycopg.Connection, role: str) -> Iterator[None]:
    """The same for a block; then the session is who it was before. `connection` autocommits."""
    row = connection.execute("select current_setting('role')").fetchone()
    act_as(connection, role)
    try:
        yield
    finally:
        # a session that is gone acts as nobody
        if not connection.closed and not connection.broken:
            connection.execute("select set_config('role', %s, false)", [row[0] if row else "none"])
