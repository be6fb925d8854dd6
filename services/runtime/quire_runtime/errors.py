"""What ends a service until somebody changes something."""


class CannotServe(Exception):
    """A service cannot start, or not go on, as things are. The message is one line that ends with the cure; the process prints it
    and ends with exit code 2.
    """
