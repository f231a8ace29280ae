#ifndef INTEGER_LAYER_NORM_H_
#define INTEGER_LAYER_NORM_H_

#include "fixed_point.h"
#include "hls_stream.h"

// LayerNorm without gain and offset over the channels of a token.
//
// in:      n_tokens words of n_in activation codes
// out:     n_tokens words of n_in activation codes
// table:   inverse_table[(exponent odd) * 128 + mantissa - 128], the inverse root
// storage: the table, one token in, its centred codes, one token out
// cycles:  n_tokens * (3 * n_in + 1): mean, squares, products
//
// mean   = requantize(sum x * mean_multiplier, mean_shift)
// c[k]   = requantize((x[k] << x_shift) - (mean << mean_align), centred_shift)
// sum of c^2 = mantissa * 2^exponent to eight significant bits
// out[k] = requantize(c[k] * inverse << headroom, out_shift + floor(exponent / 2))

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void integer_layer_norm(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
                typename CONFIG_T::inverse_table_t inverse_table[256]) {
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        const x_T x = x_stream.read();
        typename CONFIG_T::sum_t sum = 0;
    SUM:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            sum += x[k];
        }
        const typename CONFIG_T::sum_t scaled = sum * typename CONFIG_T::sum_t(CONFIG_T::mean_multiplier);
        const typename CONFIG_T::mean_t mean =
            requantize<typename CONFIG_T::mean_t>(scaled, typename CONFIG_T::shift_t(CONFIG_T::mean_shift));

        typename CONFIG_T::centred_t centred[CONFIG_T::n_in];
        typename CONFIG_T::square_t squares = 0;
    SQUARES:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            const typename CONFIG_T::difference_t difference =
                (typename CONFIG_T::difference_t(x[k]) << CONFIG_T::x_shift) -
                (typename CONFIG_T::difference_t(mean) << CONFIG_T::mean_align);
            centred[k] = requantize<typename CONFIG_T::centred_t>(
                difference, typename CONFIG_T::shift_t(CONFIG_T::centred_shift));
            squares += centred[k] * centred[k];
        }

        const significand variance = to_significand(squares);
        const bool odd = variance.exponent[0];
        const typename CONFIG_T::inverse_table_t inverse =
            inverse_table[(odd ? 128 : 0) + unsigned(variance.mantissa) - 128];
        const typename CONFIG_T::shift_t shift = int(CONFIG_T::out_shift) + int(variance.exponent >> 1);
        res_T res;
    PRODUCTS:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            const typename CONFIG_T::product_t product = typename CONFIG_T::product_t(centred[k] * inverse)
                                                         << CONFIG_T::headroom;
            res[k] = requantize<typename res_T::value_type>(product, shift);
        }
        res_stream.write(res);
    }
}

} // namespace nnet

#endif
