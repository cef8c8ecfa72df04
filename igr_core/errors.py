"""The one exception type that a user's mistake ends in."""


class IGRError(ValueError):
    """A problem the user can mend: one clear sentence naming the file or input, and the remedy."""
