"""Exit codes, and the exceptions that end the command."""

PROCESSED = 0
"""Exit code: done; everything that was submitted is processed."""
NOT_ALL = 1
"""Exit code: a file failed, was rejected, cancelled or could not be read; Quire said no; a part died; or something is stuck."""
USAGE = 2
"""Exit code: wrong arguments, nothing to do, or no connection."""
INTERRUPTED = 130
"""Exit code: left by Ctrl-C; what was submitted goes on."""


class CliError(Exception):
    """Ends the command with one sentence that says what to do."""

    exit_code = USAGE


class HalfAccepted(CliError):
    """An upload was refused or cut when a part of it had been accepted; the sentence says what runs."""

    exit_code = NOT_ALL


class Interrupted(CliError):
    """The user left the command; the sentence says what goes on nevertheless."""

    exit_code = INTERRUPTED
