"""Ingestion: complete files become raw Parquet, quarantined rows and ledger entries."""

from zhongtai.ingest.drain import drain
from zhongtai.ingest.report import EntityReport, IngestReport, Progress

__all__ = ["EntityReport", "IngestReport", "Progress", "drain"]
