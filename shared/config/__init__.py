"""The config file: read, migrated, checked, and turned into values."""

from shared.config.load import load
from shared.config.values import Config

__all__ = ["Config", "load"]
