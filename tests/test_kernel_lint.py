"""The kernels keep to the synthesizable subset, and the lint sees what does not."""

from __future__ import annotations

import pytest

from hls_projects import lint

CLEAN = """\
#ifndef GOOD_H_
#define GOOD_H_

#include "fixed_point.h"
#include "hls_stream.h"

// new, std::vector and "while" are words of a comment.
/* float, too;
   and printf */

namespace nnet {

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
    (PIPELINE, "#pragma HLS PIPLINE II = 1", "pragma"),
    (PIPELINE, "#pragma HLS UNROLL factor", "pragma"),
    (PIPELINE, "#pragma omp parallel", "pragma"),
    (INCLUDE, "#include <vector>", "include of <vector>"),
    (INCLUDE, '#include "nnet_common.h"', "include of"),
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
    assert len(lint.kernels()) == 11


def test_clean_snippet(tmp_path):
    assert findings(tmp_path, CLEAN) == []


@pytest.mark.parametrize(("good", "bad", "what"), BAD)
def test_rule_fires(tmp_path, good, bad, what):
    assert CLEAN.count(good) == 1
    found = findings(tmp_path, CLEAN.replace(good, bad))
    assert any(what in finding for finding in found), found


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
