// Self-checking test bench of attention_values in attention.h.
//
// usage: attention_values_tb vectors.txt (see testbench.h)
//
// config.h holds the configuration under test: the struct "config" and the words of the streams.

#include "config.h"
#include "attention.h"
#include "testbench.h"

int main(int argc, char **argv) {
    testbench::vectors vectors(argc, argv);
    while (vectors.next_case()) {
        hls::stream<input_t> p("p");
        hls::stream<input2_t> v("v");
        hls::stream<result_t> result("result");
        vectors.send(p, input_words);
        vectors.send(v, input2_words);
        nnet::attention_values<input_t, input2_t, result_t, config>(p, v, result);
        vectors.check(result, result_words);
        vectors.check_consumed(p, "p");
        vectors.check_consumed(v, "v");
    }
    return vectors.check_end();
}
