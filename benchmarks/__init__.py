"""Benchmarks: every entry is measured beside its floor in the same run (`make bench`)."""

import os

# sample exports hold requests for erasure: carrying them out would build everything twice
os.environ.setdefault("ZHONGTAI_ERASE_ON_REQUEST", "false")
