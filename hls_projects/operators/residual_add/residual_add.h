#ifndef RESIDUAL_ADD_H_
#define RESIDUAL_ADD_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Sum of two streams of codes with scales of their own.
//
// in:      a, b: n_tokens tokens of n_in activation codes, an element a word
// out:     n_tokens tokens of n_in activation codes, an element a word
// storage: none
// cycles:  n_tokens * n_in
//
// out = requantize((a << a_shift) + (b << b_shift), out_shift)

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
