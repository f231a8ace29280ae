// Self-checking test bench of integer_layer_norm.h.
//
// usage: integer_layer_norm_tb vectors.txt (see testbench.h)
//
// config.h holds the configuration under test: the struct "config" and the words of the streams.

#include "config.h"
#include "integer_layer_norm.h"
#include "testbench.h"

static config::inverse_table_t inverse_table[256];

int main(int argc, char **argv) {
    testbench::vectors vectors(argc, argv);
    vectors.read_array(inverse_table);
    while (vectors.next_case()) {
        hls::stream<input_t> x("x");
        hls::stream<result_t> result("result");
        vectors.send(x, input_words);
        nnet::integer_layer_norm<input_t, result_t, config>(x, result, inverse_table);
        vectors.check(result, result_words);
        vectors.check_consumed(x, "x");
    }
    return vectors.check_end();
}
