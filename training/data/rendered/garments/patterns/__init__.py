"""Patterns: where edges and seams run, and pieces laid flat."""
