"""Exceptions for problems that the user can fix."""


class IGRError(ValueError):
    """A problem the user can fix. The message names the file or input and says what to do."""


class UsageError(IGRError):
    """The command line is invalid, and nothing has been started."""
