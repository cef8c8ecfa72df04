"""The exceptions that a user's mistake ends in."""


class IGRError(ValueError):
    """A problem the user can mend: one clear sentence naming the file or input, and the remedy."""


class UsageMistake(IGRError):
    """The command itself is wrong, so that nothing was started."""
