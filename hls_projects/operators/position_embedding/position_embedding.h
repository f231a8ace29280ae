#ifndef POSITION_EMBEDDING_H_
#define POSITION_EMBEDDING_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Adds a stored row to every token, after stored tokens of its own (the class token).
//
// in:      n_patches tokens of n_in activation codes, an element a word
// out:     n_prefix + n_patches tokens of n_in activation codes, an element a word
// table:   table[(n_prefix + n_patches) * n_in], on the common grid of input and embedding
// storage: the table
// cycles:  (n_prefix + n_patches) * n_in
//
// out = requantize((in << in_shift) + table, out_shift), in = 0 for the stored tokens

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void position_embedding(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
                        typename CONFIG_T::table_t table[(CONFIG_T::n_prefix + CONFIG_T::n_patches) * CONFIG_T::n_in]) {
ELEMENTS:
    for (unsigned k = 0; k < (CONFIG_T::n_prefix + CONFIG_T::n_patches) * CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
        typename CONFIG_T::accum_t sum = table[k];
        if (k >= CONFIG_T::n_prefix * CONFIG_T::n_in)
            sum += typename CONFIG_T::accum_t(x_stream.read()[0]) << CONFIG_T::in_shift;
        res_T res;
        res[0] = requantize<typename res_T::value_type>(sum, typename CONFIG_T::shift_t(CONFIG_T::out_shift));
        res_stream.write(res);
    }
}

} // namespace nnet

#endif
