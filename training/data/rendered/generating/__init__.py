"""Rendering many records: in several processes or on a Ray cluster, going on where an earlier run was stopped."""
