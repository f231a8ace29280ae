#ifndef POSITION_EMBEDDING_H_
#define POSITION_EMBEDDING_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Adds a stored embedding to every token, and sends n_prefix stored tokens (the class token) before them.
//
// out = requantize((in << in_shift) + table, out_shift), where in = 0 for the stored tokens
//
// x_T, res_T: words of the streams, one code each
// CONFIG_T:   n_patches, n_prefix: tokens that arrive, and stored ones before them; n_in: channels;
//             in_shift: from the grid of the input to the common grid of input and table; out_shift: from that to the
//             output's; accum_t: signed, holds the sum; shift_t: holds out_shift; table_t: an entry
// x_stream:   n_patches tokens of n_in codes
// res_stream: n_prefix + n_patches tokens of n_in codes
// table:      the embedding of every token, and of stored ones their sum with the token itself
// II:         1
// cycles:     (n_prefix + n_patches) * n_in
// storage:    the table, (n_prefix + n_patches) * n_in entries

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
