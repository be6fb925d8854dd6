"""The exception that ends a service until somebody changes its settings or surroundings."""


class CannotServe(Exception):
    """A service cannot start or go on as things are. The message is one line that ends with the cure; the process prints it and
    exits with code 2.
    """
