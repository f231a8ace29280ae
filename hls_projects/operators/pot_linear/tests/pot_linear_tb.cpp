// Self-checking test bench of pot_linear.h.
//
// usage: pot_linear_tb vectors.txt (see testbench.h)
//
// config.h holds the configuration under test: the struct "config" and the words of the streams.

#include "config.h"
#include "pot_linear.h"
#include "testbench.h"

static config::codes_t codes[config::n_groups * config::n_steps * config::pe];
static config::bias_t bias[config::n_out];
static config::acc_shift_t acc_shift[config::n_out];
static config::out_shift_t out_shift[config::n_out];

int main(int argc, char **argv) {
    testbench::vectors vectors(argc, argv);
    vectors.read_array(codes);
    vectors.read_array(bias);
    vectors.read_array(acc_shift);
    vectors.read_array(out_shift);
    while (vectors.next_case()) {
        hls::stream<input_t> x("x");
        hls::stream<result_t> result("result");
        vectors.send(x, input_words);
        nnet::pot_linear<input_t, result_t, config>(x, result, codes, bias, acc_shift, out_shift);
        vectors.check(result, result_words);
        vectors.check_consumed(x, "x");
    }
    return vectors.check_end();
}
