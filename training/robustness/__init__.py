"""How much a careless mask costs: masks spoiled to known degrees, and what a bundle restores from each."""
