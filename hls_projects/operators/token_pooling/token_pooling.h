#ifndef TOKEN_POOLING_H_
#define TOKEN_POOLING_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Reduces all tokens to one: their mean, or the first one (the class token).
//
// average == 1: out = requantize(sum over t of in[t] * multiplier, out_shift), where multiplier / 2^out_shift is
//               1 / n_tokens times the ratio of the scales
// average == 0: out = in[0]
//
// x_T, res_T: words of the streams, one code each
// CONFIG_T:   n_tokens, n_in: sizes; average, multiplier, out_shift: as above; accum_t: signed, holds the scaled sum;
//             shift_t: holds out_shift
// x_stream:   n_tokens tokens of n_in codes
// res_stream: one token of n_in codes, which leaves while the last token arrives, or while the first one does
// II:         1
// cycles:     n_tokens * n_in
// storage:    n_in sums; each is read and written once every n_in cycles

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
