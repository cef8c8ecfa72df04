"""The interface of all data sets: pairs, parsing maps and joints, and their layout for a model."""
