// Self-checking test bench of patch_reader.h.
//
// usage: patch_reader_tb vectors.txt (see testbench.h)
//
// config.h holds the configuration under test: the struct "config" and the words of the streams.

#include "config.h"
#include "patch_reader.h"
#include "testbench.h"

static config::table_t table[config::n_channels * 256];

static const unsigned grid_size = config::image_size / config::patch_size;
static const unsigned n_patches = grid_size * grid_size;

int main(int argc, char **argv) {
    testbench::vectors vectors(argc, argv);
    vectors.read_array(table);
    while (vectors.next_case()) {
        hls::stream<input_t> x("x");
        hls::stream<result_t> result("result");
        vectors.send(x, input_words);
        nnet::patch_reader<input_t, result_t, config>(x, result, table);
        vectors.check(result, result_words);
        vectors.check_consumed(x, "x");
    }
    return vectors.check_end();
}
