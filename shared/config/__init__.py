"""The config file: read, migrated, checked, and turned into values."""

from shared.config.load import Config, load

__all__ = ["Config", "load"]
