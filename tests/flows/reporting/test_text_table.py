"""Tables for the terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flows.reporting.formatting import GAP
from flows.reporting.text_table import text_table


def test_a_table_by_hand():
    found = text_table(("figure", "A", ""), [("one", "1,000", "better"), ("three", None, "")], left=(0, 2))
    assert found.splitlines() == ["figure      A", "one     1,000  better", "three       -"]


def test_a_table_without_rows_has_its_header():
    assert text_table(("figure", "A"), []) == "figure  A"


def test_units_stand_behind_ordinary_spaces():
    assert text_table(("a",), [(f"1{GAP}s",)]).splitlines()[1] == "1 s"


cells = st.text(st.sampled_from("ab1.,-<%"), min_size=1, max_size=6)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=2, max_size=5)
)


@given(tables)
def test_columns_are_aligned(table: list[list[str]]):
    """Against a table that pads every cell to the widest of its column."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    naive = [
        "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    assert text_table(table[0], table[1:]).splitlines() == naive
