"""The semantic layer is what the documents of the metrics tables say."""

from pathlib import Path

from zhongtai.semantics import FILE, list_semantic_tables, semantics_document

ROOT = Path(__file__).parents[2]


def test_the_semantic_models_are_those_that_the_documents_give() -> None:
    tables = list_semantic_tables(ROOT)
    assert len(tables) >= 4
    written = (ROOT / FILE).read_text("utf-8")
    assert written == semantics_document(tables), "run `zhongtai generate semantics`"
