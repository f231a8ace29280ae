// Self-checking test bench of residual_add.h.
//
// usage: residual_add_tb vectors.txt (see testbench.h)
//
// config.h holds the configuration under test: the struct "config" and the words of the streams.

#include "config.h"
#include "residual_add.h"
#include "testbench.h"

int main(int argc, char **argv) {
    testbench::vectors vectors(argc, argv);
    while (vectors.next_case()) {
        hls::stream<input_t> a("a");
        hls::stream<input2_t> b("b");
        hls::stream<result_t> result("result");
        vectors.send(a, input_words);
        vectors.send(b, input2_words);
        nnet::residual_add<input_t, input2_t, result_t, config>(a, b, result);
        vectors.check(result, result_words);
        vectors.check_consumed(a, "a");
        vectors.check_consumed(b, "b");
    }
    return vectors.check_end();
}
