"""Tables for the terminal: one way to lay them out for every command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tabulate import tabulate

from flows.reporting.formatting import plain

MISSING = "-"


def text_table(header: Sequence[str], rows: Iterable[Sequence[str | None]], *, left: Iterable[int] = (0,)) -> str:
    """Lines of columns that are two spaces apart, without spaces at their ends.

    Args:
        header: titles of the columns.
        rows: cells as they are to be shown, as many as the header has; None is shown as ``-``.
        left: columns that are aligned to the left; figures stand to the right.
    """
    left = set(left)
    cells = [[MISSING if cell is None else cell for cell in row] for row in (header, *rows)]
    aligned = tabulate(
        cells,  # tabulate would make a column wider than its title, were it given as one
        tablefmt="plain",
        colalign=["left" if column in left else "right" for column in range(len(header))],
        disable_numparse=True,
        preserve_whitespace=True,
    )
    return "\n".join(line.rstrip() for line in plain(aligned).splitlines())
