#ifndef CHANNEL_SLICE_H_
#define CHANNEL_SLICE_H_

#include "hls_stream.h"

// Some channels of every token.
//
// in:      n_tokens tokens of n_in codes, an element a word
// out:     n_tokens tokens of n_out codes, an element a word
// storage: none
// cycles:  n_tokens * n_in. A word that is kept leaves in the clock in which it is read.
//
// out[t][n] = in[t][first + n]

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void channel_slice(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream) {
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
    CHANNELS:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            const x_T x = x_stream.read();
            // Below first the difference wraps to a large number.
            if (k - CONFIG_T::first < CONFIG_T::n_out) {
                res_T res;
                res[0] = x[0];
                res_stream.write(res);
            }
        }
    }
}

} // namespace nnet

#endif
