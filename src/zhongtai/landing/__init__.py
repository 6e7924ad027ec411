"""The landing zone: which files are there, and which of them are complete."""

from zhongtai.landing.files import LandedFile, LandingZone, Stray
from zhongtai.landing.manifests import ManifestEntry
from zhongtai.landing.remote import is_local
from zhongtai.landing.survey import Delivery, Survey, find_deliveries

__all__ = [
    "Delivery",
    "LandedFile",
    "LandingZone",
    "ManifestEntry",
    "Stray",
    "Survey",
    "find_deliveries",
    "is_local",
]
