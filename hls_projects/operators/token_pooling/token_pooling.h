#ifndef TOKEN_POOLING_H_
#define TOKEN_POOLING_H_

#include "blocks.h"
#include "fixed_point.h"

// All tokens to one: their average, or the first (the class token).
//
// in:      n_tokens tokens of n_in activation codes, an element a word
// out:     one token of n_in activation codes, an element a word
// storage: three times n_in sums
// cycles:  read n_tokens * n_in; write n_in. They work on different pictures.
//
// average:  out = requantize(sum_t in[t] * multiplier, out_shift)
// else:     out = in[0]

namespace nnet {

template <class x_T, typename CONFIG_T>
void pool_tokens(hls::stream<x_T> &x_stream, hls::stream_of_blocks<typename CONFIG_T::accum_t[CONFIG_T::n_in]> &pooled) {
    typename CONFIG_T::accum_t sums[CONFIG_T::n_in];
    hls::write_lock<typename CONFIG_T::accum_t[CONFIG_T::n_in]> result(pooled);
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
    CHANNELS:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            const typename CONFIG_T::accum_t x = x_stream.read()[0];
            typename CONFIG_T::accum_t sum = x;
            if (token != 0) {
                sum = sums[k];
                if (CONFIG_T::average)
                    sum += x;
            }
            sums[k] = sum;
            result[k] = sum;
        }
    }
}

template <class res_T, typename CONFIG_T>
void scale_pooled(hls::stream_of_blocks<typename CONFIG_T::accum_t[CONFIG_T::n_in]> &pooled,
                  hls::stream<res_T> &res_stream) {
    hls::read_lock<typename CONFIG_T::accum_t[CONFIG_T::n_in]> sums(pooled);
SCALE:
    for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
        const typename CONFIG_T::accum_t scaled = sums[k] * typename CONFIG_T::accum_t(CONFIG_T::multiplier);
        res_T res;
        res[0] = requantize<typename res_T::value_type>(scaled, typename CONFIG_T::shift_t(CONFIG_T::out_shift));
        res_stream.write(res);
    }
}

template <class x_T, class res_T, typename CONFIG_T>
void token_pooling(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream) {
#pragma HLS DATAFLOW
    hls::stream_of_blocks<typename CONFIG_T::accum_t[CONFIG_T::n_in]> pooled;
    PIPELINE_PROCESS(pool_tokens<x_T, CONFIG_T>(x_stream, pooled));
    PIPELINE_PROCESS(scale_pooled<res_T, CONFIG_T>(pooled, res_stream));
}

} // namespace nnet

#endif
