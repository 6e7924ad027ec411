"""Personal data in the shared store: no column for it, and no value that looks like it."""

from zhongtai.quality.results import Check, Evidence, Finding, OwnCheck

SUITE = "personal_data"

# Names of columns that hold a person's data or key in the profiles; none may occur in metrics.
FORBIDDEN_COLUMNS = (
    "one_id", "related_one_id", "mobile", "backup_mobile", "phone", "email", "id_card", "address",
    "birth_date", "vin", "plate", "openid", "unionid", "login_id", "anonymous_id", "distinct_id",
    "device_id", "visitor_id", "wecom_external_id", "crm_customer_id", "dms_customer_id",
    "identifier_value", "organisation_id", "order_no", "lead_id", "record_key",
)  # fmt: skip

# Shapes of values, with borders so that a hash or a number that holds one by chance does not count.
# DuckDB's regular expressions have no look-around, so the borders are groups.
PATTERNS = {
    "mobile": r"(^|[^0-9A-Za-z])(\+?86[- ]?)?1[3-9][0-9]{9}($|[^0-9A-Za-z])",
    "id_card": (
        r"(^|[^0-9A-Za-z])[1-9][0-9]{5}(19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9Xx]"
        r"($|[^0-9A-Za-z])"
    ),
    "email": r"[0-9A-Za-z._%+-]+@[0-9A-Za-z-]+\.[A-Za-z]{2,}",
    "vin": r"(^|[^0-9A-Za-z])[A-HJ-NPR-Z0-9]{17}($|[^0-9A-Za-z])",
    "one_id": r"(^|[^0-9A-Za-z])u_[0-9a-f]{32}($|[^0-9A-Za-z])",
}


def _find_forbidden_columns(evidence: Evidence) -> Finding:
    """No column of the metrics schema has the name of personal data."""
    columns = _columns(evidence)
    bad = [f"{table}.{column}" for table, column, _ in columns if column in FORBIDDEN_COLUMNS]
    tables = len({table for table, _, _ in columns})
    return Finding(not bad, "; ".join([f"{tables} tables, {len(columns)} columns", *bad]))


def _find_personal_values(evidence: Evidence) -> Finding:
    """No text of the metrics schema looks like a mobile, identity card, e-mail, VIN or one_id."""
    texts: dict[str, list[str]] = {}
    for table, column, kind in _columns(evidence):
        if kind.startswith(("VARCHAR", "JSON")):
            texts.setdefault(table, []).append(column)
    bad = []
    for table, columns in texts.items():
        selected = ", ".join(
            f"count(*) filter (where {_looks_like(column, pattern)})"
            for column in columns
            for pattern in PATTERNS.values()
        )
        row = evidence.warehouse.execute(f'select {selected} from metrics."{table}"').fetchone()  # noqa: S608  # catalogue names
        kinds = [(column, kind) for column in columns for kind in PATTERNS]
        bad += [
            f"{table}.{column}: {rows} like a {kind}"
            for (column, kind), rows in zip(kinds, row or (), strict=True)
            if rows
        ]
    shown = f"{sum(map(len, texts.values()))} text columns of {len(texts)} tables"
    return Finding(not bad, "; ".join([shown, *bad]))


def _looks_like(column: str, pattern: str) -> str:
    # numbers beside letters make a VIN; a code of letters or digits only is none
    letters_and_digits = (
        f" and regexp_matches(cast(\"{column}\" as varchar), '[A-Z]')"
        f" and regexp_matches(cast(\"{column}\" as varchar), '[0-9]')"
        if pattern == PATTERNS["vin"]
        else ""
    )
    return f"regexp_matches(cast(\"{column}\" as varchar), '{pattern}'){letters_and_digits}"


def _columns(evidence: Evidence) -> list[tuple[str, str, str]]:
    """Table, column and type of everything in the metrics schema."""
    rows = evidence.warehouse.execute(
        "select table_name, column_name, data_type from information_schema.columns"
        " where table_schema = 'metrics' order by table_name, ordinal_position"
    ).fetchall()
    return [(str(table), str(column), str(kind)) for table, column, kind in rows]


CHECKS = (
    OwnCheck(
        Check(
            SUITE,
            "metrics_have_no_personal_column",
            "critical",
            "everybody reads metrics, so no key or attribute of a person may be in it",
        ),
        _find_forbidden_columns,
    ),
    OwnCheck(
        Check(
            SUITE,
            "metrics_have_no_personal_value",
            "critical",
            "a phone or VIN in a free text would be published to everybody",
        ),
        _find_personal_values,
    ),
)
