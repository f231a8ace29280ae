"""Names of a file as identifiers of generated code.

A graph's names are free text. This module is the only way for them into C++, Verilog and Tcl: an identifier made here
is letters, digits and single underscores in ASCII, starts with a letter, and is no word that one of these languages,
or the generated code itself, uses for something else.
"""

from __future__ import annotations

import hashlib
import itertools
import re

# ISO C++20, tables 5 and 6, with the words that are special in some places only, and the macros of <cassert>,
# <cerrno>, <cstdio>, <cstdlib> that a compiler would replace.
CPP = """
    alignas alignof and and_eq asm assert auto bitand bitor bool break case catch char char16_t char32_t char8_t class
    co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default
    delete do double dynamic_cast else enum errno explicit export extern false final float for friend goto if import
    inline int long main module mutable namespace new noexcept not not_eq nullptr operator or or_eq override private
    protected public register reinterpret_cast requires return short signed sizeof static static_assert static_cast
    std stderr stdin stdout struct switch template this thread_local throw true try typedef typeid typename union
    unsigned using virtual void volatile wchar_t while xor xor_eq hls nnet linux unix NULL EOF
"""
# IEEE 1800-2017, annex B, which includes the words of Verilog.
VERILOG = """
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind bins
    binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config const
    constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist do edge
    else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule
    endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually expect
    export extends extern final first_match for force foreach forever fork forkjoin function generate genvar global
    highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include initial inout input
    inside instance int integer interconnect interface intersect join join_any join_none large let liblist library
    local localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos nor
    noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive priority program
    property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase
    randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0
    rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal showcancelled
    signed small soft solve specify specparam static string strong strong0 strong1 struct super supply0 supply1
    sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 tranif1
    tri tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use uwire var
    vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
# Of the generated code: the top level, its ports, and what hls4ml and the assembly name after numbers and streams.
GENERATED = re.compile(
    r"vit(_axi)?|board|clk|rst|fifo|stream_fork|(in|out)\d*_(valid|ready|data)|images|results"
    r"|(pixels|logits)(_.*)?|clone_.*|(layer|config|weight|bias|w|b)\d+(_.*)?|(input|result|model_default)_t|ap_u?(int|fixed)"
)
KEYWORDS = frozenset(f"{CPP} {VERILOG}".split())
IMAGE_PORT, LOGIT_PORT = "pixels", "logits"
"""The input and the output of every graph, whatever a file calls them."""

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
# Names become parts of file names, of which a file system takes 255 bytes.
LONGEST, DIGEST = 120, 12
UNNAMED = "unnamed"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]{0,63}")
TCL_PLAIN = re.compile(r"[A-Za-z0-9_.:/+-]+")
LONGEST_SHOWN = 80


def identifier(text: str, taken: set[str] | None = None) -> str:
    """An identifier of C++, Verilog and Tcl that tells of ``text``; an identifier stays as it is.

    Args:
        text: anything.
        taken: identifiers in use, which the result is none of; it is added to them.
    """
    taken = set() if taken is None else taken
    name = "_".join(re.findall(r"[A-Za-z0-9]+", text)) or UNNAMED
    if name[0].isdigit():
        name = f"n{name}"
    if _reserved(name):
        name = f"n_{name}"
    if len(name) > LONGEST:
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST]
        name = f"{name[: LONGEST - DIGEST - 1].rstrip('_')}_{digest}"
    candidates = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(1)))
    chosen = next(found for found in candidates if found not in taken)
    taken.add(chosen)
    return chosen


def is_identifier(text: str, *, generated: bool = False) -> bool:
    """Whether ``text`` can stand in generated code as it is.

    Args:
        generated: allow the names that the generated code gives to its own parts.
    """
    reserved = text in KEYWORDS if generated else _reserved(text)
    return bool(IDENTIFIER.fullmatch(text)) and not reserved


def is_file_name(text: object) -> bool:
    """Whether ``text`` is a name that can only be a file or a folder where it is put, never a path to elsewhere."""
    return isinstance(text, str) and bool(FILE_NAME.fullmatch(text))


def tcl_word(text: str) -> str:
    """``text`` as one word of a Tcl script, in which nothing of it is substituted or ends a command.

    A letter beyond 16 bits, which Tcl 8 has not, becomes the one that stands for unknown letters.
    """
    if TCL_PLAIN.fullmatch(text):
        return text
    return "".join(_tcl_letter(letter) for letter in text) or "{}"


def _tcl_letter(letter: str) -> str:
    if letter.isascii() and letter.isprintable():
        return letter if letter.isalnum() else f"\\{letter}"
    return f"\\u{ord(letter) if ord(letter) <= 0xFFFF else 0xFFFD:04x}"


def shown(text: str) -> str:
    """``text`` of a file in a message: in one line, of printable characters, not too long."""
    printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return printable if len(printable) <= LONGEST_SHOWN else f"{printable[: LONGEST_SHOWN - 1]}\N{HORIZONTAL ELLIPSIS}"


def _reserved(name: str) -> bool:
    return name in KEYWORDS or bool(GENERATED.fullmatch(name))
