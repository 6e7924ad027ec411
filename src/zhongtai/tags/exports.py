"""Writing an audience to a file: consent applied, staff left out, and everything in a ledger."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from zhongtai.database import connect
from zhongtai.errors import ConfigurationError, ZhongtaiError
from zhongtai.publish.content import literal, quoted
from zhongtai.publish.folders import sync
from zhongtai.settings import Settings
from zhongtai.tags.audiences import Audience, audience_version, load_audiences
from zhongtai.tags.catalogue import load_tags
from zhongtai.tags.condition_sql import condition_sql
from zhongtai.tags.population import LEAST_AGE, is_younger
from zhongtai.tags.preview import DO_NOT_DISTURB, Store, open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

# Why somebody is left out; the first reason that applies counts.
STAFF, TOO_YOUNG, NO_CONSENT, ASKED, NO_IDENTIFIER, REPEATED = (
    "staff",
    "minor",
    "no_consent",
    "do_not_disturb",
    "no_identifier",
    "same_identifier",
)
# A spreadsheet takes what begins so for a formula; some trim blanks before, or know wide signs.
_FORMULA = r"^[\s\x{feff}\x{200b}\x{a0}\x{3000}]*[=+\-@＝＋－＠\t\r\n\x{0}|%]"
_FORMATS = {
    ".csv": "format csv, header true",
    ".parquet": "format parquet, compression zstd",
}
_CHOOSE = f"""
create or replace temp table chosen as
with picked as (
    select
        users.one_id,
        users.is_staff,
        users.allows_marketing,
        {{is_too_young}} as is_too_young,
        coalesce({{asked}}, false) as asked,
        {{identifier}} as identifier{{listed}}
    from profiles.main.dim_users as users
    left join profiles.main.dim_user_tags as tags on tags.one_id = users.one_id
    left join (
        select i.one_id, max_by(
            i.identifier_value,
            (i.identifier_value is not distinct from u.mobile, i.last_seen_at, i.identifier_value)
        ) as identifier_value
        from profiles.main.bridge_user_identifiers as i
        inner join profiles.main.dim_users as u on u.one_id = i.one_id
        where
            i.identifier_type = {{kind}}
            and i.identifier_scope is not distinct from {{scope}}
            and not i.is_shared
        group by i.one_id
    ) as held on held.one_id = users.one_id
    where {{condition}}
)
select *, case
    when is_staff and {{leaves_staff_out}} then '{STAFF}'
    when is_too_young then '{TOO_YOUNG}'
    when {{needs_consent}} and not allows_marketing then '{NO_CONSENT}'
    when asked then '{ASKED}'
    when identifier is null then '{NO_IDENTIFIER}'
    else '' end as left_out
from picked
"""  # noqa: S608  # our own names
_COLUMNS = (
    "export_id, audience, audience_version, snapshot_id, purpose, destination, identifier, form,"
    " author, reason, exported_at, file, sha256, size_bytes, selected, exported, suppressed"
)


@dataclass(frozen=True)
class Export:
    """A row of the ledger: `selected` = `exported` + the sum of `suppressed`. Times are aware."""

    export_id: int
    audience: str
    audience_version: str
    snapshot_id: str
    purpose: str
    destination: str
    identifier: str
    form: str
    author: str
    reason: str
    exported_at: datetime
    file: str
    sha256: str
    size_bytes: int
    selected: int
    exported: int
    suppressed: "Mapping[str, int]"


def export_audience(
    settings: Settings, audience_id: str, target: Path | None, *, author: str, because: str
) -> tuple[Export, Path]:
    """Write who is in an audience now to `target` (.csv or .parquet), which only we may read.

    Without a target it goes to `<home>/exports`. Returns the row of the ledger and the file.
    Raises ConfigurationError for an audience that is not published or a file that is there, and
    ZhongtaiError before anything is published.
    """
    tags = load_tags(settings.project_dir)
    audience = load_audiences(settings.project_dir, tags).find(audience_id)
    if audience.status != "published":
        raise ConfigurationError(
            f"audience {audience_id} is {audience.status}: only a published one is exported",
            hint=f"set its status to published at {audience.place}",
        )
    if not author.strip() or not because.strip():
        raise ConfigurationError(
            "an export needs its author and reason", hint="add --because REASON [--author NAME]"
        )
    with open_store(settings) as store:
        file = _choose_file(settings, audience, target, store.snapshot_id)
        counts = _choose(store, audience)
        staged = _write(store, audience, file)
        try:
            facts = [
                audience_id,
                audience_version(audience, tags),
                store.snapshot_id,
                *(audience.purpose, audience.destination, audience.identifier, audience.form),
                *(author, because, file.name, _hash(staged), staged.stat().st_size),
                *(sum(counts.values()), counts.pop("", 0), Jsonb(counts)),
            ]
            # first the ledger: what it says was exported and never was does no harm
            made = _record(settings, facts)
            _name(staged, file)
        finally:
            staged.unlink()
        sync(file.parent)
    return made, file


def list_exports(settings: Settings, audience_id: str | None = None) -> list[Export]:
    """What was ever exported, or of one audience, newest first."""
    with connect(settings) as connection, connection.cursor(row_factory=class_row(Export)) as rows:
        return rows.execute(
            f"select {_COLUMNS} from tags.exports"  # noqa: S608  # our own names
            " where %s::text is null or audience = %s order by export_id desc",
            [audience_id, audience_id],
        ).fetchall()


def _choose_file(
    settings: Settings, audience: Audience, target: Path | None, snapshot_id: str
) -> Path:
    if target is None:
        folder = settings.path("exports")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        target = folder / f"{audience.audience_id}-{snapshot_id}-{secrets.token_hex(3)}.csv"
    target = target.absolute()
    if target.suffix not in _FORMATS:
        raise ConfigurationError(
            f"{target.name} is neither .csv nor .parquet", hint="give a file name that ends so"
        )
    if not target.parent.is_dir():
        raise ConfigurationError(
            f"the folder {target.parent} does not exist", hint="create it, or export elsewhere"
        )
    if target.exists():
        raise _refuse_existing(target)
    return target


def _refuse_existing(file: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{file} exists: an export never replaces a file", hint="give another name with --to"
    )


def _refuse_folder(file: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"{file} cannot be written: {(error.strerror or 'refused').lower()}",
        hint="give a folder with --to that you may write, on a disk with room and hard links",
    )


def _choose(store: Store, audience: Audience) -> dict[str, int]:
    """Write temp table chosen, and count it by why somebody is left out ('' for who is not)."""
    columns, sql_of = store.populace.columns, store.populace.sql_of
    missing = [name for name in audience.columns if name not in columns]
    if missing:
        raise ZhongtaiError(
            f"the published snapshot has no {missing[0]} yet, which {audience.audience_id} exports",
            hint="publish first with `zhongtai run`",
        )
    listed = "".join(f", {sql_of[name]} as {quoted(name)}" for name in audience.columns)
    store.connection.execute(
        _CHOOSE.format(
            asked=sql_of.get(DO_NOT_DISTURB, "false"),
            identifier=_identifier_sql(audience),
            listed=listed,
            kind=literal(audience.identifier),
            scope=literal(audience.scope) if audience.scope else "i.identifier_scope",
            condition=condition_sql(store.parse(audience.condition), sql_of),
            leaves_staff_out=_flag(not audience.includes_staff),
            is_too_young=is_younger(LEAST_AGE[audience.purpose], f"timestamp '{store.as_of}'"),
            needs_consent=_flag(audience.needs_consent),
        )
    )
    # two persons with one number are called once
    store.connection.execute(
        f"update chosen set left_out = '{REPEATED}' where left_out = '' and one_id not in"  # noqa: S608
        " (select min(one_id) from chosen where left_out = '' group by identifier)"
    )
    counted = store.connection.execute(
        "select left_out, count(*) from chosen group by left_out order by left_out"
    ).fetchall()
    return dict(counted)


def _flag(flag: bool) -> str:
    return "true" if flag else "false"


def _identifier_sql(audience: Audience) -> str:
    """The identifier as the destination reads it: a Chinese mobile by its eleven digits."""
    if audience.identifier == "one_id":
        value = "users.one_id"
    elif audience.identifier == "mobile":
        value = r"regexp_replace(held.identifier_value, '^\+86', '')"
    else:
        value = "held.identifier_value"
    return f"sha256({value})" if audience.form == "hashed" else value


def _write(store: Store, audience: Audience, file: Path) -> Path:
    """The file under a name of its own, complete and on disk."""
    name = audience.identifier + ("_sha256" if audience.form == "hashed" else "")
    columns = {"identifier": name, **{column: column for column in audience.columns}}
    texts = {"identifier"} | {
        column for column in audience.columns if store.populace.columns[column].type == "text"
    }
    is_csv = file.suffix == ".csv"
    listed = ", ".join(
        f"{_harmless(column) if is_csv and column in texts else quoted(column)} as {quoted(shown)}"
        for column, shown in columns.items()
    )
    staged = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(staged, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise _refuse_folder(file, error) from error
    try:
        store.connection.execute(
            f"copy (select {listed} from chosen where left_out = '' order by identifier)"  # noqa: S608
            f" to {literal(str(staged))} ({_FORMATS[file.suffix]}, use_tmp_file false)"
        )
        sync(staged)
    except BaseException:
        staged.unlink()
        raise
    return staged


def _name(staged: Path, file: Path) -> None:
    """Give the file its name, unless another took that meanwhile."""
    try:
        os.link(staged, file)
    except FileExistsError as error:
        raise _refuse_existing(file) from error
    except OSError as error:
        raise _refuse_folder(file, error) from error


def _harmless(column: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    name = quoted(column)
    return f"case when regexp_matches({name}, '{_FORMULA}') then '''' || {name} else {name} end"


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _record(settings: Settings, facts: list[Any]) -> Export:
    with connect(settings) as connection, connection.cursor(row_factory=class_row(Export)) as rows:
        made = rows.execute(
            "insert into tags.exports (audience, audience_version, snapshot_id, purpose,"  # noqa: S608
            " destination, identifier, form, author, reason, file, sha256, size_bytes, selected,"
            " exported, suppressed)"
            f" values ({', '.join(['%s'] * 15)}) returning {_COLUMNS}",
            facts,
        ).fetchone()
    assert made is not None  # noqa: S101  # an insert returns its row
    return made
