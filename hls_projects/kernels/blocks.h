#ifndef BLOCKS_H_
#define BLOCKS_H_

#include "fixed_point.h"
#include "hls_stream.h"
#include <hls_streamofblocks.h>

// Between the streams, which have one element a word, and the stages that need a token or a row at once.
// A stream of blocks is a double buffer: one block is filled while the one before is worked on.

namespace nnet {

// n_blocks times: n_words words of a stream to a block.
// cycles: n_blocks * n_words
template <unsigned n_blocks, unsigned n_words, class word_T>
void load_blocks(hls::stream<word_T> &stream, hls::stream_of_blocks<typename word_T::value_type[n_words]> &blocks) {
BLOCKS:
    for (unsigned i = 0; i < n_blocks; i++) {
        hls::write_lock<typename word_T::value_type[n_words]> block(blocks);
    WORDS:
        for (unsigned k = 0; k < n_words; k++) {
#pragma HLS PIPELINE II = 1
            block[k] = stream.read()[0];
        }
    }
}

// n_blocks times: a block to n_words words of a stream.
// cycles: n_blocks * n_words
template <unsigned n_blocks, unsigned n_words, class word_T>
void write_blocks(hls::stream_of_blocks<typename word_T::value_type[n_words]> &blocks, hls::stream<word_T> &stream) {
BLOCKS:
    for (unsigned i = 0; i < n_blocks; i++) {
        hls::read_lock<typename word_T::value_type[n_words]> block(blocks);
    WORDS:
        for (unsigned k = 0; k < n_words; k++) {
#pragma HLS PIPELINE II = 1
            word_T word;
            word[0] = block[k];
            stream.write(word);
        }
    }
}

} // namespace nnet

#endif
