// Self-checking test bench of token_pooling.h.
//
// usage: token_pooling_tb vectors.txt (see testbench.h)
//
// config.h holds the configuration under test: the struct "config" and the words of the streams.

#include "config.h"
#include "token_pooling.h"
#include "testbench.h"

int main(int argc, char **argv) {
    testbench::vectors vectors(argc, argv);
    while (vectors.next_case()) {
        hls::stream<input_t> x("x");
        hls::stream<result_t> result("result");
        vectors.send(x, input_words);
        nnet::token_pooling<input_t, result_t, config>(x, result);
        vectors.check(result, result_words);
        vectors.check_consumed(x, "x");
    }
    return vectors.check_end();
}
