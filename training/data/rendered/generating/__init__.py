"""Rendering many records in several processes or on a Ray cluster; interrupted runs can be resumed."""
