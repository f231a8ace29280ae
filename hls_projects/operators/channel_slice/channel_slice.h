#ifndef CHANNEL_SLICE_H_
#define CHANNEL_SLICE_H_

#include "hls_stream.h"

// A range of channels of every token: out[t][n] = in[t][first + n]. It takes the outputs of one of several linear
// layers from the stream of the layer that they were merged into.
//
// x_T, res_T: words of the streams, one code each
// CONFIG_T:   n_tokens; n_in, n_out: channels before and after; first: the first channel that passes
// x_stream:   n_tokens tokens of n_in codes
// res_stream: n_tokens tokens of n_out codes
// II:         1
// cycles:     n_tokens * n_in; a word that passes leaves in the cycle in which it is read
// storage:    none

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void channel_slice(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream) {
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
    CHANNELS:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            const x_T x = x_stream.read();
            // One unsigned comparison checks both bounds: below `first` the difference wraps to a large number.
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
