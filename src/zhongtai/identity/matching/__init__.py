"""Fuzzy matching: persons whom no strong identifier joins. See docs/matching.md."""

from zhongtai.identity.matching.declaration import Declaration, load_declaration
from zhongtai.identity.matching.evaluation import (
    Quality,
    measure_classes,
    measure_quality,
    measure_sizes,
)
from zhongtai.identity.matching.levels import level_labels
from zhongtai.identity.matching.linkage import LinkReport, Separations, link
from zhongtai.identity.matching.model import Model, load_model, save_model
from zhongtai.identity.matching.scoring import ScoreReport, block_rows, score_pairs
from zhongtai.identity.matching.table import resolve_table
from zhongtai.identity.matching.training import train

__all__ = [
    "Declaration",
    "LinkReport",
    "Model",
    "Quality",
    "ScoreReport",
    "Separations",
    "block_rows",
    "level_labels",
    "link",
    "load_declaration",
    "load_model",
    "measure_classes",
    "measure_quality",
    "measure_sizes",
    "resolve_table",
    "save_model",
    "score_pairs",
    "train",
]
