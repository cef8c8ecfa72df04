"""The demo's own human parser."""
