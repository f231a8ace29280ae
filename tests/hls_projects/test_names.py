"""Names of a file become identifiers of generated code, or words of a script, and nothing else."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hls_projects.names import CPP, LONGEST, VERILOG, identifier, is_identifier, shown, tcl_word

TEXT = st.text(max_size=40) | st.sampled_from(["", "_", "int", "wire", "layer3_out", "pixels", "a_1", "1a", "a" * 500])
LETTERS = set(string.ascii_letters + string.digits + "_")


@given(TEXT)
def test_any_text_becomes_an_identifier(text: str):
    name = identifier(text)
    assert name and set(name) <= LETTERS and name[0] in string.ascii_letters
    assert "__" not in name and not name.endswith("_") and len(name) <= LONGEST
    assert name not in CPP.split() + VERILOG.split()
    assert is_identifier(name) and identifier(text) == name == identifier(name)


@given(st.lists(TEXT, max_size=20))
def test_many_texts_become_different_identifiers(texts: list[str]):
    taken: set[str] = set()
    names = [identifier(text, taken) for text in texts]
    assert len(set(names)) == len(names) and set(names) == taken
    assert all(map(is_identifier, names))
    again: set[str] = set()
    assert [identifier(text, again) for text in texts] == names


@pytest.mark.parametrize("name", ["blocks_0_attn_q", "patch_reader", "q_k_1", "A", "x1"])
def test_an_identifier_stays_as_it_is(name: str):
    assert is_identifier(name) and identifier(name) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/model/input", "model_input"),
        ("input:0", "input_0"),
        ("x.1", "x_1"),
        ("0", "n0"),
        ("int", "n_int"),
        ("wire", "n_wire"),
        ("vit", "n_vit"),
        ("clk", "n_clk"),
        ("layer3_out", "n_layer3_out"),
        ("pixels", "n_pixels"),
        ("é", "unnamed"),
        (');system("id");//', "system_id"),
    ],
)  # fmt: skip
def test_examples(text: str, name: str):
    assert identifier(text) == name and not is_identifier(text)


def test_names_of_the_generated_code_are_identifiers_of_its_own():
    for name in ("layer3_out", "pixels", "clone_norm", "vit"):
        assert is_identifier(name, generated=True) and not is_identifier(name)
    for name in ("int", "module", "a b", "", "a\n", "_a", "a__b"):
        assert not is_identifier(name, generated=True)


def test_long_texts_that_differ_at_the_end():
    assert identifier("a" * 300 + "b") != identifier("a" * 300 + "c")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
@example("[exit]")
@example("a\\")
@example("\U0001f600")
def test_a_word_of_tcl_is_the_text(text: str):
    tkinter = pytest.importorskip("tkinter", reason="needs Tcl: apt-get install python3-tk")
    tcl = tkinter.Tcl()
    tcl.eval("set run 0; proc unknown args { incr ::run }")
    word = tcl_word(text)
    assert "\n" not in word and word.isascii()
    tcl.eval(f"set found {word}")
    assert tcl.getvar("found") == "".join(letter if letter <= "\uffff" else "\ufffd" for letter in text)
    # In a comment, too, it ends nothing and goes on nowhere.
    tcl.eval(f"# a comment on {word}\nset after yes")
    assert tcl.getvar("after") == "yes" and tcl.eval("set run") == "0"


@given(st.text(max_size=300))
def test_what_is_shown_is_short_and_harmless(text: str):
    assert shown(text).isprintable() and len(shown(text)) <= 80
    assert shown("node \x1b[31m\n") == "node \ufffd[31m\ufffd"
