"""The base of every error that an input causes."""


class InputError(Exception):
    """Something that was given cannot be used; the text says in one line what is wrong and what to do."""
