"""Requests for erasure among the deliveries: whom they mean by the persons of this build."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
import pyarrow as pa

from zhongtai.crash_points import reach
from zhongtai.erasure.matching import WANTED_SCHEMA
from zhongtai.erasure.naming import record_kind
from zhongtai.erasure.persons import find_person, list_handovers, list_values
from zhongtai.settings import Settings
from zhongtai.warehouse import open_build

_ENTITY = "crm.erasure_requests"
_PROFILES = "profiles"
# Staged requests that ask for erasure; who only takes back consent is not erased.
_ASKED = (
    "select record_key, identifier_type, identifier_value, requested_at"
    " from staging.stg_crm__erasure_requests where request_kind = '删除'"
    " order by requested_at, record_key"
)


@dataclass(frozen=True)
class Due:
    """A person whom requests mean: what sources call that person, the requests included.

    `handovers`: the cars that the person took over from others (VIN), and when (naive UTC).
    """

    one_id: str
    requests: tuple["OpenRequest", ...]
    values: pa.Table
    handovers: list[tuple[str, datetime]]


@dataclass(frozen=True)
class OpenRequest:
    """A request that erases nobody (yet): `unknown`, `shared` or `waiting`. Naive UTC."""

    request_id: str
    identifier_type: str
    reason: str
    requested_at: datetime


def find_due(settings: Settings) -> tuple[list[Due], list[OpenRequest]]:
    """Whom the requests mean, by the working file once its profiles are built."""
    with open_build(settings, read_only=True) as build:
        is_staged = build.execute(
            "select 1 from duckdb_tables() where table_name = 'stg_crm__erasure_requests'"
        ).fetchone()
        if not is_staged:
            return [], []
        by_person: dict[str, list[OpenRequest]] = {}
        left: list[OpenRequest] = []
        for request_id, kind, value, at in build.execute(_ASKED).fetchall():
            match = find_person(build, _PROFILES, kind or "", value or "", at)
            asked = OpenRequest(request_id, kind or "", match.reason or "waiting", at)
            if match.one_id:
                by_person.setdefault(match.one_id, []).append(asked)
            else:
                left.append(asked)
        due = [
            Due(
                one_id,
                tuple(requests),
                pa.concat_tables(
                    [list_values(build, _PROFILES, [one_id]), _name_requests(requests)]
                ),
                list_handovers(build, _PROFILES, [one_id]),
            )
            for one_id, requests in by_person.items()
        ]
    return due, left


def record_open(connection: psycopg.Connection, left: Sequence[OpenRequest]) -> None:
    """Tell which requests of this build erased nobody, in place of those of the last."""
    with connection.transaction():
        connection.execute("delete from erasure.open_requests")
        for request in left:
            connection.execute(
                "insert into erasure.open_requests (request_id, identifier_type, reason,"
                " requested_at) values (%s, %s, %s, %s::timestamp at time zone 'UTC')",
                [
                    request.request_id,
                    request.identifier_type,
                    request.reason,
                    request.requested_at,
                ],
            )
    reach("erase.requests_recorded")


def list_recorded(connection: psycopg.Connection) -> list[OpenRequest]:
    """The requests that the last build left open."""
    rows = connection.execute(
        "select request_id, identifier_type, reason, requested_at at time zone 'UTC'"
        " from erasure.open_requests order by requested_at, request_id"
    )
    return [OpenRequest(*row) for row in rows]


def _name_requests(requests: Sequence[OpenRequest]) -> pa.Table:
    """A request names the person too: it goes with everything else."""
    kinds = [record_kind(_ENTITY)] * len(requests)
    values = [request.request_id for request in requests]
    return pa.table({"kind": kinds, "value": values}, WANTED_SCHEMA)
