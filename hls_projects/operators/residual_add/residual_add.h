#ifndef RESIDUAL_ADD_H_
#define RESIDUAL_ADD_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Sum of two tensors of codes with different scales.
//
// out = requantize((a << a_shift) + (b << b_shift), out_shift)
//
// a_T, b_T, res_T:    words of the streams, one code each
// CONFIG_T:           n_tokens, n_in: sizes; a_shift, b_shift: from the grid of an input to the common grid;
//                     out_shift: from that to the output's; accum_t: signed, holds the sum; shift_t: holds out_shift
// a_stream, b_stream: n_tokens tokens of n_in codes; both are read in the same cycle, so the shorter branch of a
//                     residual connection needs a FIFO that holds what the longer one has under way
// res_stream:         n_tokens tokens of n_in codes
// II:                 1
// cycles:             n_tokens * n_in
// storage:            none

namespace nnet {

template <class a_T, class b_T, class res_T, typename CONFIG_T>
void residual_add(hls::stream<a_T> &a_stream, hls::stream<b_T> &b_stream, hls::stream<res_T> &res_stream) {
ELEMENTS:
    for (unsigned k = 0; k < CONFIG_T::n_tokens * CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
        const typename CONFIG_T::accum_t a = a_stream.read()[0];
        const typename CONFIG_T::accum_t b = b_stream.read()[0];
        const typename CONFIG_T::accum_t sum = (a << CONFIG_T::a_shift) + (b << CONFIG_T::b_shift);
        res_T res;
        res[0] = requantize<typename res_T::value_type>(sum, typename CONFIG_T::shift_t(CONFIG_T::out_shift));
        res_stream.write(res);
    }
}

} // namespace nnet

#endif
