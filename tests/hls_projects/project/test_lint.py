"""The kernels keep to the synthesizable subset, and the lint sees what does not."""

from __future__ import annotations

import pytest

from hls_projects.project import lint

CLEAN = """\
#ifndef GOOD_H_
#define GOOD_H_

#include "fixed_point.h"
#include "hls_stream.h"
#include <hls_streamofblocks.h>

// new, std::vector and "while" are words of a comment.
/* float, too;
   and printf */

namespace nnet {

template <typename CONFIG_T> struct good_rows {
    static const unsigned count = CONFIG_T::n_in == 1 ? 1 : CONFIG_T::n_in << 1;
    static const unsigned elements = count * CONFIG_T::pe;
};

template <unsigned n_words, bool by_row, typename CONFIG_T, class x_T>
void pass(hls::stream_of_blocks<typename x_T::value_type[good_rows<CONFIG_T>::elements]> &rows,
          hls::stream<typename x_T::value_type> &words) {
    const unsigned pe = CONFIG_T::pe;
    typename CONFIG_T::sum_t sums[pe];
#pragma HLS ARRAY_PARTITION variable=sums complete
    hls::read_lock<typename x_T::value_type[good_rows<CONFIG_T>::elements]> row(rows);
WORDS:
    for (unsigned word = 0; word < n_words + by_row; word++) {
#pragma HLS UNROLL factor=CONFIG_T::simd
    ELEMENTS:
        for (unsigned p = 0; p < good_rows<CONFIG_T>::count; p++) {
#pragma HLS UNROLL factor=2
            words.write(row[p]);
        }
    }
}

template <class x_T, typename CONFIG_T>
void region(hls::stream<x_T> &x_stream, typename CONFIG_T::codes_t codes[CONFIG_T::n_in]) {
#pragma HLS DATAFLOW
    const unsigned pe = CONFIG_T::pe;
    typedef typename x_T::value_type x_t;
    hls::stream_of_blocks<x_t[pe]> blocks;
    hls::stream<x_t> words("words");
    PIPELINE_PROCESS(fill<pe>(x_stream, blocks));
    PIPELINE_PROCESS(pass<pe, true, CONFIG_T, x_T>(blocks, words));
}

template <typename CONFIG_T> void reshaped(typename CONFIG_T::codes_t codes[CONFIG_T::n_in]) {
    const unsigned lanes = CONFIG_T::lanes;
#pragma HLS ARRAY_RESHAPE variable=codes cyclic factor=lanes
}

template <class x_T, typename CONFIG_T>
void good(hls::stream<x_T> &x_stream, hls::stream<x_T> &res_stream, typename CONFIG_T::table_t table[CONFIG_T::n_in]) {
    const unsigned rows = CONFIG_T::n_in / CONFIG_T::patch_size;
    const unsigned last = rows * 2 + 1;
    const int width = integer_traits<x_T>::width;
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens + 1; token++) {
        const x_T x = x_stream.read();
    ROWS:
        for (unsigned row = 0; row <= last; row++) {
#pragma HLS PIPELINE II = 1
            const unsigned bits = row & rows;
            res_stream.write(x * table[bits]);
        }
    BITS:
        for (int bit = 0; bit < width; ++bit) {
#pragma HLS UNROLL
        }
    }
}

} // namespace nnet

#endif
"""
STATEMENT = "        const x_T x = x_stream.read();"
LOOP = "        for (unsigned row = 0; row <= last; row++) {"
PIPELINE = "#pragma HLS PIPELINE II = 1"
DATAFLOW = "#pragma HLS DATAFLOW"
PARTITION = "#pragma HLS ARRAY_PARTITION variable=sums complete"
RESHAPE = "#pragma HLS ARRAY_RESHAPE variable=codes cyclic factor=lanes"
UNROLL = "#pragma HLS UNROLL factor=CONFIG_T::simd"
WORDS = "word < n_words + by_row"
ELEMENTS = "p < good_rows<CONFIG_T>::count"
LOCK = "hls::read_lock<typename x_T::value_type[good_rows<CONFIG_T>::elements]> row(rows);"
CALL = "    PIPELINE_PROCESS(fill<pe>(x_stream, blocks));"
BLOCKS = "hls::stream_of_blocks<typename x_T::value_type[good_rows<CONFIG_T>::elements]> &rows"
INCLUDE = '#include "hls_stream.h"'
PARAMETER = "hls::stream<x_T> &res_stream"

# What is replaced, by what, and the finding.
BAD = [
    (STATEMENT, "x_T *x = new x_T;", "heap"),
    (STATEMENT, "delete x;", "heap"),
    (STATEMENT, "void *x = malloc(4);", "heap"),
    (STATEMENT, "free(x);", "heap"),
    (STATEMENT, "std::vector<int> x;", "standard library"),
    (STATEMENT, "std::min(x, y);", "standard library"),
    (STATEMENT, "using namespace hls;", "standard library"),
    (STATEMENT, "float x = 1;", "floating point"),
    (STATEMENT, "double x = 1;", "floating point"),
    (STATEMENT, "half x = 1;", "floating point"),
    (STATEMENT, "int x = 3 * 0.5;", "floating point"),
    (STATEMENT, "int x = 1e3;", "floating point"),
    (STATEMENT, "virtual void f();", "dynamic dispatch or exception"),
    (STATEMENT, "throw 1;", "dynamic dispatch or exception"),
    (STATEMENT, "try { }", "dynamic dispatch or exception"),
    (STATEMENT, "int (*f)(int);", "function pointer"),
    (STATEMENT, "while (x) { }", "unbounded control flow"),
    (STATEMENT, "do { } x;", "unbounded control flow"),
    (STATEMENT, "goto TOKENS;", "unbounded control flow"),
    (STATEMENT, 'printf("%d", x);', "text output"),
    (STATEMENT, "cout << x;", "text output"),
    (STATEMENT, "int *x = 0;", "pointer"),
    (STATEMENT, "int* x = 0;", "pointer"),
    (STATEMENT, "f(&x);", "pointer"),
    (STATEMENT, "good<x_T, CONFIG_T>(x_stream, res_stream, table);", "good calls itself"),
    (PARAMETER, "x_T *res", "pointer"),
    (PARAMETER, "typename CONFIG_T::table_t *res", "pointer"),
    (PARAMETER, "x_T &res", "reference to other than a stream"),
    (PARAMETER, "x_T& res", "reference to other than a stream"),
    (LOOP, "for (unsigned row = 0; row < x; row++) {", "is not constant"),
    (LOOP, "for (unsigned row = 0; row < table[0]; row++) {", "is not constant"),
    (LOOP, "for (unsigned row = 0; row < x.CONFIG_T::n; row++) {", "is not constant"),
    (LOOP, "for (unsigned row = x; row < last; row++) {", "not of the form"),
    (LOOP, "for (;;) {", "not of the form"),
    (LOOP, "for (unsigned row = 0; row < last; row += x) {", "not of the form"),
    (LOOP, "for (auto row : table) {", "not of the form"),
    (LOOP, "for (unsigned row = 0; token < last; row++) {", "another variable"),
    (LOOP, "for (unsigned row = 0; row < last; token++) {", "another variable"),
    ("    ROWS:\n", "", "without a label"),
    ("    ROWS:\n", "    ROWS:\n        x;\n", "without a label"),
    (PIPELINE, "#pragma HLS PIPELINE", "pragma"),
    (PIPELINE, "#pragma HLS PIPELINE II = 0", "pragma"),
    (PIPELINE, "#pragma HLS PIPELINE II = x", "factor 'x' is not constant"),
    (PIPELINE, "#pragma HLS PIPLINE II = 1", "pragma"),
    (PIPELINE, "#pragma HLS UNROLL factor", "pragma"),
    (PIPELINE, "#pragma omp parallel", "pragma"),
    (PIPELINE, "#pragma HLS UNROLL factor=0", "factor '0' is not constant"),
    (UNROLL, "#pragma HLS UNROLL factor=word", "factor 'word' is not constant"),
    (UNROLL, "#pragma HLS UNROLL factor=x.CONFIG_T::simd", "none of those"),
    (UNROLL, "#pragma HLS UNROLL factor=CONFIG_T::simd skip_exit_check", "none of those"),
    (PARTITION, "#pragma HLS ARRAY_PARTITION variable=sums", "none of those"),
    (PARTITION, "#pragma HLS ARRAY_PARTITION variable=sums block factor=2", "none of those"),
    (PARTITION, "#pragma HLS ARRAY_PARTITION variable=sum complete", "'sum' is no array"),
    (RESHAPE, "#pragma HLS ARRAY_RESHAPE variable=codes cyclic", "none of those"),
    (RESHAPE, "#pragma HLS ARRAY_RESHAPE variable=codes block factor=lanes", "none of those"),
    (RESHAPE, "#pragma HLS ARRAY_RESHAPE variable=codes cyclic factor=bits", "factor 'bits' is not constant"),
    (RESHAPE, "#pragma HLS ARRAY_RESHAPE variable=lanes cyclic factor=lanes", "'lanes' is no array"),
    (DATAFLOW, "#pragma HLS DATAFLOW disable_start_propagation", "none of those"),
    (DATAFLOW, "", "PIPELINE_PROCESS outside a dataflow region"),
    (CALL, "    fill<pe>(x_stream, blocks);", "no declaration and no PIPELINE_PROCESS"),
    (CALL, "    if (pe) PIPELINE_PROCESS(fill<pe>(x_stream, blocks));", "no declaration and no PIPELINE_PROCESS"),
    (CALL, "    x_t x = 0;", "no declaration and no PIPELINE_PROCESS"),
    (STATEMENT, "PIPELINE_PROCESS(pass(x_stream));", "PIPELINE_PROCESS outside a dataflow region"),
    (WORDS, "word < n_wards + by_row", "is not constant"),
    (WORDS, "word < n_words by_row x", "is not constant"),
    ("template <unsigned n_words, bool", "template <class n_words, bool", "is not constant"),
    ("bool by_row,", "class by_row,", "is not constant"),
    (
        "template <unsigned n_words, bool by_row, typename CONFIG_T, class x_T>\nvoid pass(",
        "template <bool by_row, typename CONFIG_T, class x_T>\nvoid pass(unsigned n_words, ",
        "is not constant",
    ),
    (STATEMENT, "unsigned n_words = x_stream.read();", "is not constant"),
    (ELEMENTS, "p < good_rows<CONFIG_T>::counts", "is not constant"),
    (ELEMENTS, "p < bad_rows<CONFIG_T>::count", "is not constant"),
    (ELEMENTS, "p < good_rows<x_T>::count", "is not constant"),
    (ELEMENTS, "p < good_rows<CONFIG_T>::count(p)", "is not constant"),
    ("static const unsigned count = ", "static unsigned count = ", "is not constant"),
    ("CONFIG_T::n_in << 1;", "rows() << 1;", "is not constant"),
    (LOCK, "hls::read_lock<x_T> row(rows);", "block 'x_T' is not an array of constant size"),
    (LOCK, "hls::read_lock<x_T[word]> row(rows);", "block 'x_T[word]' is not an array of constant size"),
    (LOCK, "hls::merge_lock<x_T[pe]> row(rows);", "hls::merge_lock is none of"),
    (LOCK, "hls::vector<x_T, 4> row;", "hls::vector is none of"),
    (BLOCKS, "hls::read_lock<x_T[CONFIG_T::pe]> &rows", "reference to other than a stream"),
    (BLOCKS, "hls::stream_of_blocks<x_T[CONFIG_T::n]> *rows", "pointer"),
    (BLOCKS, "pair<hls::stream_of_blocks<x_T[CONFIG_T::n]>> &rows", "reference to other than a stream"),
    (INCLUDE, "#include <vector>", "include of <vector>"),
    (INCLUDE, '#include "nnet_common.h"', "include of"),
    (INCLUDE, '#include "hls_streamofblocks.h"', "include of"),
    (INCLUDE, '#include "testbench.h"', "include of"),
    ("#ifndef GOOD_H_\n", "", "no include guard"),
    ("#define GOOD_H_\n", "#define OTHER_H_\n", "no include guard"),
    ("#endif\n", "", "no include guard"),
]


def findings(tmp_path, text):
    path = tmp_path / "kernel.h"
    path.write_text(text)
    return lint.lint_kernel(path)


@pytest.mark.parametrize("path", lint.kernels(), ids=lambda path: path.stem)
def test_shipped_kernel_is_clean(path):
    assert lint.lint_kernel(path) == []


def test_every_kernel_is_linted():
    assert len(lint.kernels()) == 15


def test_clean_snippet(tmp_path):
    assert findings(tmp_path, CLEAN) == []


@pytest.mark.parametrize(("good", "bad", "what"), BAD)
def test_rule_fires(tmp_path, good, bad, what):
    assert CLEAN.count(good) == 1
    found = findings(tmp_path, CLEAN.replace(good, bad))
    assert any(what in finding for finding in found), found


def test_constants_of_shared_structs_make_constants(tmp_path):
    """A member of a struct may be made of another header's, and a pipeline's interval of it."""
    text = CLEAN.replace("CONFIG_T::n_in << 1;", "lanes<CONFIG_T>::all ? CONFIG_T::n_in : 1;")
    text = text.replace(PIPELINE, "#pragma HLS PIPELINE II = rows")
    assert text.count("lanes<CONFIG_T>") == text.count("II = rows") == 1 and findings(tmp_path, text) == []


def test_finding_names_the_line(tmp_path):
    line = CLEAN.splitlines().index(STATEMENT) + 1
    assert findings(tmp_path, CLEAN.replace(STATEMENT, "float x;")) == [
        f"{tmp_path / 'kernel.h'}:{line}: floating point: 'float'"
    ]


def test_constant_of_a_variable_bounds_no_loop(tmp_path):
    text = CLEAN.replace("CONFIG_T::n_in / CONFIG_T::patch_size", "x_stream.read()")
    assert any("loop bound 'last' is not constant" in finding for finding in findings(tmp_path, text))


def test_main_reports_and_fails(tmp_path, monkeypatch, capsys):
    assert lint.main() == 0
    path = tmp_path / "kernel.h"
    path.write_text(CLEAN.replace(STATEMENT, "float x;"))
    monkeypatch.setattr(lint, "kernels", lambda: [path])
    assert lint.main() == 1
    assert "floating point" in capsys.readouterr().out
