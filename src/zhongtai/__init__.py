"""zhongtai: a customer data platform for carmakers."""

__version__ = "0.1.0"
