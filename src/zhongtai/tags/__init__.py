"""Governed tags: declared in seeds/tags/, compiled to one scan per fact table."""

from zhongtai.tags.catalogue import Tags, load_tags
from zhongtai.tags.health import record_costs
from zhongtai.tags.history import load_history
from zhongtai.tags.increments import keep_increment, prepare_increment
from zhongtai.tags.manual import load_statements
from zhongtai.tags.model import Tag
from zhongtai.tags.models import render_models, stale_models, write_models

__all__ = [
    "Tag",
    "Tags",
    "keep_increment",
    "load_history",
    "load_statements",
    "load_tags",
    "prepare_increment",
    "record_costs",
    "render_models",
    "stale_models",
    "write_models",
]
