"""Training, evaluation and data of IGR: a library, and its commands in `cli`."""
