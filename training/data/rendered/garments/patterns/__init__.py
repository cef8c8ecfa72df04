"""Patterns: edges, seams and flat pieces."""
