"""Scoring of restored garments: the paper's six metrics under named protocols, experiments, tables and the report."""
