// Self-checking test bench of fixed_point.h.
//
// usage: fixed_point_tb vectors.txt (see testbench.h)
//
// A case is: value, shift, the value shifted and rounded, the same saturated to result_t; then a
// natural number and the mantissa and exponent of its eight significant bits.
//
// config.h holds the types under test: config::value_t, shift_t, result_t and natural_t.

#include "config.h"
#include "fixed_point.h"
#include "testbench.h"

int main(int argc, char **argv) {
    testbench::vectors vectors(argc, argv);
    while (vectors.next_case()) {
        config::value_t value;
        config::shift_t shift;
        vectors.read_code(value);
        vectors.read_code(shift);
        vectors.check_code(0, 0, nnet::shift_right_half_even(value, shift));
        vectors.check_code(0, 1, nnet::requantize<config::result_t>(value, shift));

        config::natural_t natural;
        vectors.read_code(natural);
        const nnet::significand significand = nnet::to_significand(natural);
        vectors.check_code(1, 0, significand.mantissa);
        vectors.check_code(1, 1, significand.exponent);
    }
    return vectors.check_end();
}
