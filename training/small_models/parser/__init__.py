"""The small human parser."""
