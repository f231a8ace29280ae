#ifndef TOKEN_POOLING_H_
#define TOKEN_POOLING_H_

#include "fixed_point.h"
#include "hls_stream.h"

// All tokens to one: their average, or the first (the class token).
//
// in:      n_tokens words of n_in activation codes
// out:     one word of n_in activation codes
// storage: n_in sums
// cycles:  n_tokens * n_in, plus n_in
//
// average:  out = requantize(sum_t in[t] * multiplier, out_shift)
// else:     out = in[0]

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void token_pooling(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream) {
    typename CONFIG_T::accum_t sums[CONFIG_T::n_in];
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        const x_T x = x_stream.read();
    CHANNELS:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            if (token == 0)
                sums[k] = x[k];
            else if (CONFIG_T::average)
                sums[k] += x[k];
        }
    }
    res_T res;
SCALE:
    for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
        const typename CONFIG_T::accum_t scaled = sums[k] * typename CONFIG_T::accum_t(CONFIG_T::multiplier);
        res[k] = requantize<typename res_T::value_type>(scaled, typename CONFIG_T::shift_t(CONFIG_T::out_shift));
    }
    res_stream.write(res);
}

} // namespace nnet

#endif
