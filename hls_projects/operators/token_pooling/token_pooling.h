#ifndef TOKEN_POOLING_H_
#define TOKEN_POOLING_H_

#include "fixed_point.h"
#include "hls_stream.h"

// All tokens to one: their average, or the first (the class token).
//
// in:      n_tokens tokens of n_in activation codes, an element a word
// out:     one token of n_in activation codes, an element a word
// storage: n_in sums
// cycles:  n_tokens * n_in. The results leave while the words of the last token, or of the first, come in.
//
// average:  out = requantize(sum_t in[t] * multiplier, out_shift)
// else:     out = in[0]

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void token_pooling(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream) {
    typename CONFIG_T::accum_t sums[CONFIG_T::n_in];
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
    CHANNELS:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            const typename CONFIG_T::accum_t x = x_stream.read()[0];
            typename CONFIG_T::accum_t sum = x;
            if (CONFIG_T::average && token != 0)
                sum += sums[k];
            sums[k] = sum;
            if (token == (CONFIG_T::average ? CONFIG_T::n_tokens - 1 : 0)) {
                const typename CONFIG_T::accum_t scaled = sum * typename CONFIG_T::accum_t(CONFIG_T::multiplier);
                res_T res;
                res[0] =
                    requantize<typename res_T::value_type>(scaled, typename CONFIG_T::shift_t(CONFIG_T::out_shift));
                res_stream.write(res);
            }
        }
    }
}

} // namespace nnet

#endif
