// Self-checking test bench of attention_scores in attention.h.
//
// usage: attention_scores_tb vectors.txt (see testbench.h)
//
// config.h holds the configuration under test: the struct "config" and the words of the streams.

#include "config.h"
#include "attention.h"
#include "testbench.h"

int main(int argc, char **argv) {
    testbench::vectors vectors(argc, argv);
    while (vectors.next_case()) {
        hls::stream<input_t> q("q");
        hls::stream<input2_t> k("k");
        hls::stream<result_t> result("result");
        vectors.send(q, input_words);
        vectors.send(k, input2_words);
        nnet::attention_scores<input_t, input2_t, result_t, config>(q, k, result);
        vectors.check(result, result_words);
        vectors.check_consumed(q, "q");
        vectors.check_consumed(k, "k");
    }
    return vectors.check_end();
}
