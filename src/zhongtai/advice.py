"""What to do about each rule by which ingestion sets rows or files aside, or warns."""

_AGAIN = "deliver the corrected file again"
_REPLAY = "`zhongtai quarantine replay` takes in what loads after that"

ADVICE = {
    # whole files
    "unreadable": f"open the file with the program that should read it; export it anew, {_AGAIN}",
    "truncated": f"the transfer or the export broke off: send the whole file again; {_AGAIN}",
    "too_large": "export fewer rows per file; a file that only inflates to this size is an attack",
    "header_too_long": "export with line ends, and only the columns of the contract",
    "too_many_columns": "export one record per line and only the columns of the contract",
    "too_many_rejects": "compare the format of the file with its contract, then export it anew",
    "encrypted": "export without a password; send files through a protected channel instead",
    "wrong_format": f"export in the format of the contract, {_AGAIN}",
    "wrong_delimiter": "export the file again with the delimiter of the contract",
    "forbidden_xml": "export without a document type; files that declare entities are not opened",
    "required_column_missing": (
        "correct the header of the export, or add the new name as an alias to the contract in"
        " expectations/raw, or, if the system does not deliver the column any more, take `required`"
        f" off it there; {_REPLAY}"
    ),
    "manifest_mismatch": (
        "deliver the file that the manifest means, or a manifest that tells the truth about it"
    ),
    "unbalanced": (
        "the file can be read in two ways: export it anew in plain form; if it is plain already,"
        " report it with the delivery's id"
    ),
    # records that cannot be read
    "broken_json": f"write one whole JSON object per line in the exporter; {_AGAIN}",
    "not_an_object": f"write one JSON object per line, not an array or a value; {_AGAIN}",
    "nested_too_deep": "flatten the object in the exporter: nobody reads levels this deep",
    "broken_xml": f"escape &, < and > in the exporter and close every element; {_AGAIN}",
    "broken_quote": f"double the quotes within quoted fields in the exporter; {_AGAIN}",
    "field_count": f"quote fields that hold the delimiter or a line end in the exporter; {_AGAIN}",
    "record_too_long": "look for a line end or a quote that is missing before this line",
    "repeated_header": "nothing is lost: join files without their header lines",
    # rows that a rule of the contract refuses
    "key_missing": f"fill the key at the source; {_AGAIN}",
    "event_time_unreadable": (
        f"fill the time at the source in a spelling that the contract knows; {_REPLAY}"
    ),
    "event_time_in_future": f"correct the clock of the source; {_REPLAY} once that time has come",
    "unknown_tag": f"declare the tag in seeds/tags, or correct its id; {_REPLAY}",
    "computed_tag": "take the row out: the tag follows from its rule",
    # warnings: the file loaded
    "empty_file": "ask the source whether there was nothing to export",
    "column_missing": "ask the source whether the column is meant to be gone",
    "column_added": "add the column to the contract where it is wanted; it is kept in `_extra`",
    "sheet_skipped": "nothing, if the sheet holds no rows of this entity",
    "unknown_value": "add the word to the values of the contract, or have it corrected",
}

_OTHERWISE = (
    "look at the rows with `zhongtai quarantine show`; correct them at the source, or the rule in"
    f" the contract in expectations/raw; {_REPLAY}"
)


def advise(rule: str) -> str:
    """What to do where this rule was broken; rules that only a contract has share one answer."""
    return ADVICE.get(rule, _OTHERWISE)
