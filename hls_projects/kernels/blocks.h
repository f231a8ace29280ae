#ifndef BLOCKS_H_
#define BLOCKS_H_

#include "fixed_point.h"
#include "hls_stream.h"
#include <hls_streamofblocks.h>

// Processes between streams, which carry one element a word, and stages that access a whole token or row at random.
//
// hls::stream_of_blocks (UG1399) is a double buffer: the writer fills one block while the reader works on the one
// before. A write_lock or read_lock holds a block from its construction to its end, and waits until it can have one.

namespace nnet {

// Fills blocks from a stream.
//
// n_blocks: blocks an image
// n_words:  elements of a block, one word of the stream each
// word_T:   word of the stream, an nnet::array of one element
// stream:   n_blocks * n_words words
// blocks:   n_blocks blocks, elements in the order of the stream
// II:       1
// cycles:   n_blocks * n_words
// storage:  2 * n_words elements, the two buffers of `blocks`
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

// Sends blocks to a stream: the inverse of load_blocks, with the same parameters, II and cycles. The blocks are stored
// by the process that fills them.
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
