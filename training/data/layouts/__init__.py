"""The published layouts, each behind the one interface."""
