"""`python -m training VERB`: one file for each group of commands."""
