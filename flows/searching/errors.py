"""What stops a search, in one line for its user."""


def one_line(error: BaseException) -> str:
    """The kind and the text of ``error``, shortened."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
