"""Run the stages in this process or on a Ray cluster."""
