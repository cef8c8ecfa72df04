"""Training, evaluation and data of IGR: a library in rooms, and its commands in `cli`."""
