"""What stops a search, in one line for its user."""


class SearchError(Exception):
    """A search that cannot start or go on; its text says what is wrong and what to do."""


def one_line(error: BaseException) -> str:
    """The kind and the text of ``error``, shortened."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
