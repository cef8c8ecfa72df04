"""`python -m training COMMAND`: one file for each group of commands."""
