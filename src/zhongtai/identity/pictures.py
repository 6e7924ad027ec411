"""A small picture (SVG) of who belongs together: records left, what they share right."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

from zhongtai.identity.explanations import Component, PairExplanation, Why
from zhongtai.identity.persons import PersonExplanation
from zhongtai.identity.references import Reference, is_reference, parse_reference
from zhongtai.masks import mask_key

Kind = Literal["link", "no evidence", "alike", "decided", "refused"]

_ROW, _TOP, _BOX, _WIDTH = 30, 64, 22, 860
_RECORDS_AT, _VALUES_AT, _RECORD_WIDTH, _VALUE_WIDTH = 110, 540, 290, 300
_STROKES = {
    "link": ("#2563eb", ""),
    "no evidence": ("#94a3b8", "3 4"),
    "alike": ("#b45309", "7 4"),
    "decided": ("#15803d", ""),
    "refused": ("#dc2626", "2 4"),
}
_FILLS = ("#dbeafe", "#fef3c7")


@dataclass(frozen=True)
class Value:
    """What several records name, and whether that links them. `on_path`: it is part of the way."""

    label: str
    records: Collection[Reference]
    kind: Kind = "link"
    on_path: bool = False


@dataclass(frozen=True)
class Arc:
    """Two records that are tied, or kept apart, without a value."""

    left: Reference
    right: Reference
    kind: Kind


def draw_person(explained: PersonExplanation) -> str:
    """The SVG document of one person."""
    component = explained.component
    return _draw(
        explained.subject.one_id,
        [component.records],
        _list_values([component]),
        _list_arcs(component),
    )


def draw_pair(explained: PairExplanation) -> str:
    """The SVG document of the person or of both, with the way or what was refused between them."""
    left, right = explained.left.asked, explained.right.asked
    arcs = [arc for component in explained.components for arc in _list_arcs(component)]
    arcs += [Arc(one.record, one.other_record, "refused") for one in explained.refused]
    arcs += [Arc(*decision.pair, "refused") for decision in explained.decisions]
    steps = {one for step in explained.path for one in (step.record, step.other_record)}
    return _draw(
        " and ".join(_title(text) for text in (left, right))
        + (" are one person" if explained.is_one_person else " are two persons"),
        [component.records for component in explained.components],
        _list_values(explained.components, explained.over),
        arcs,
        steps or explained.left.records | explained.right.records,
    )


def _title(asked: str) -> str:
    return _name(parse_reference(asked)) if is_reference(asked) else asked


def _list_values(
    components: Sequence[Component], over: Collection[Why] = frozenset()
) -> list[Value]:
    """One for each value that the records name, once for both persons."""
    labels: dict[int, str] = {}
    named: dict[int, set[Reference]] = {}
    ways: dict[int, set[Why]] = {}
    for trace in (trace for component in components for trace in component.traces):
        if trace.value_key is None:
            continue
        labels[trace.value_key] = f"{trace.identifier_type} {trace.masked}"
        named.setdefault(trace.value_key, set()).add(trace.reference)
        found = ways.setdefault(trace.value_key, set())
        if trace.standing == "link":
            found.add(("identifier", trace.value_key))
        if trace.named_key is not None:
            found.add(("identifier and name", trace.named_key))
    ties = {why for component in components for why in component.ties}
    return [
        Value(
            label,
            named[key],
            "link" if ways[key] & ties else "no evidence",
            on_path=bool(ways[key] & set(over)),
        )
        for key, label in labels.items()
    ]


def _list_arcs(component: Component) -> list[Arc]:
    kinds: dict[str, Kind] = {"similar person": "alike", "decision": "decided"}
    return [
        Arc(tie.nodes[0], tie.nodes[1], kinds[why[0]])
        for why, tie in component.ties.items()
        if why[0] in kinds
    ]


def _draw(
    title: str,
    persons: Sequence[Collection[Reference]],
    values: Sequence[Value],
    arcs: Iterable[Arc] = (),
    path: Collection[Reference] = (),
) -> str:
    """An SVG document of one person or two; every record is in it, keys masked where need be."""
    rows = [(one, number) for number, records in enumerate(persons) for one in sorted(records)]
    heights = {one: _TOP + index * _ROW for index, (one, _) in enumerate(rows)}
    # next to its records, so that few lines cross
    shown = sorted(values, key=lambda v: (_middle(v.records, heights), v.label))
    height = _TOP + max(len(rows), len(shown), 1) * _ROW + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        ' font-family="Helvetica, Arial, sans-serif" font-size="11">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="20" y="28" font-size="14" font-weight="bold" fill="#0f172a">'
        f"{escape(title)}</text>",
    ]
    for index, value in enumerate(shown):
        y = _TOP + index * _ROW
        parts += [
            _line(heights[one], y, value.kind, value.on_path and one in path)
            for one in sorted(value.records)
        ]
    parts += [_arc(arc, heights) for arc in arcs]
    parts += [
        _box((_RECORDS_AT, heights[one], _RECORD_WIDTH), _name(one), _FILLS[n % 2], one in path)
        for one, n in rows
    ]
    parts += [
        _box((_VALUES_AT, _TOP + i * _ROW, _VALUE_WIDTH), value.label, "#eef2f7", value.on_path)
        for i, value in enumerate(shown)
    ]
    parts += [*_legend(height - 14), "</svg>"]
    return "\n".join(parts) + "\n"


def _name(one: Reference) -> str:
    return f"{one.source}:{one.entity}:{mask_key(one.record_key)}"


def _middle(records: Collection[Reference], heights: Mapping[Reference, int]) -> float:
    return sum(heights[one] for one in records) / max(len(records), 1)


def _line(start: int, end: int, kind: Kind, is_on_path: bool) -> str:
    x, y = _RECORDS_AT + _RECORD_WIDTH, start + _BOX / 2
    return (
        f'<path d="M{x} {y}C{x + 60} {y} {_VALUES_AT - 60} {end + _BOX / 2} {_VALUES_AT}'
        f' {end + _BOX / 2}" {_stroke(kind, 2.4 if is_on_path else 1)}/>'
    )


def _arc(arc: Arc, heights: Mapping[Reference, int]) -> str:
    start, end = sorted(heights[one] + _BOX / 2 for one in (arc.left, arc.right))
    out = max(_RECORDS_AT - 20 - (end - start) / 3, 12)
    return (
        f'<path d="M{_RECORDS_AT} {start}C{out} {start} {out} {end} {_RECORDS_AT} {end}"'
        f" {_stroke(arc.kind, 1.6)}/>"
    )


def _stroke(kind: Kind, width: float) -> str:
    colour, dashes = _STROKES[kind]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'fill="none" stroke="{colour}" stroke-width="{width}"{dashed}'


def _box(place: tuple[int, int, int], label: str, fill: str, is_on_path: bool) -> str:
    x, y, width = place
    # a character takes about 6 units, a Chinese one does not occur in keys or masks
    cut = label if len(label) <= width // 6 else label[: width // 6 - 1] + "…"
    weight = ' font-weight="bold"' if is_on_path else ""
    return (
        f'<g><title>{escape(label)}</title><rect x="{x}" y="{y}" width="{width}" height="{_BOX}"'
        f' rx="6" fill="{fill}" stroke="#94a3b8" stroke-width="{2 if is_on_path else 1}"/>'
        f'<text x="{x + 8}" y="{y + 15}" fill="#0f172a"{weight}>{escape(cut)}</text></g>'
    )


def _legend(y: int) -> list[str]:
    parts = []
    for index, kind in enumerate(_STROKES):
        x = 20 + index * 130
        parts.append(f'<path d="M{x} {y - 4}H{x + 28}" {_stroke(kind, 2)}/>')  # type: ignore[arg-type]
        parts.append(f'<text x="{x + 34}" y="{y}" fill="#334155">{kind}</text>')
    return parts
