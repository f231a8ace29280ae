// Self-checking test bench of activation_table.h.
//
// usage: activation_table_tb vectors.txt (see testbench.h)
//
// config.h holds the configuration under test: the struct "config" and the words of the streams.

#include "config.h"
#include "activation_table.h"
#include "testbench.h"

static config::table_t table[config::n_codes];

int main(int argc, char **argv) {
    testbench::vectors vectors(argc, argv);
    vectors.read_array(table);
    while (vectors.next_case()) {
        hls::stream<input_t> x("x");
        hls::stream<result_t> result("result");
        vectors.send(x, input_words);
        nnet::activation_table<input_t, result_t, config>(x, result, table);
        vectors.check(result, result_words);
        vectors.check_consumed(x, "x");
    }
    return vectors.check_end();
}
