// Self-checking test bench of integer_softmax.h.
//
// usage: integer_softmax_tb vectors.txt (see testbench.h)
//
// config.h holds the configuration under test: the struct "config" and the words of the streams.

#include "config.h"
#include "integer_softmax.h"
#include "testbench.h"

static config::exp_table_t exp_table[config::n_codes];
static config::reciprocal_table_t reciprocal_table[128];

int main(int argc, char **argv) {
    testbench::vectors vectors(argc, argv);
    vectors.read_array(exp_table);
    vectors.read_array(reciprocal_table);
    while (vectors.next_case()) {
        hls::stream<input_t> x("x");
        hls::stream<result_t> result("result");
        vectors.send(x, input_words);
        nnet::integer_softmax<input_t, result_t, config>(x, result, exp_table, reciprocal_table);
        vectors.check(result, result_words);
        vectors.check_consumed(x, "x");
    }
    return vectors.check_end();
}
