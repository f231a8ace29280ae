#ifndef INTEGER_LAYER_NORM_H_
#define INTEGER_LAYER_NORM_H_

#include "blocks.h"
#include "fixed_point.h"

// LayerNorm without gain and offset over the channels of a token.
//
// mean       = requantize(sum x * mean_multiplier, mean_shift)
// c[k]       = requantize((x[k] << x_shift) - (mean << mean_align), centred_shift)
// sum of c^2 = mantissa * 2^exponent, rounded to eight significant bits
// out[k]     = requantize(c[k] * inverse << headroom, out_shift + floor(exponent / 2))
//              with inverse = inverse_table[(exponent odd) * 128 + mantissa - 128], the inverse root
//
// in:      n_tokens tokens of n_in activation codes, a code a word
// out:     the same
// table:   inverse_table[256]
// config:  n_tokens, n_in; mean_multiplier / 2^mean_shift is 1 / n_in; x_shift and mean_align bring x and the mean to
//          the same step; centred_shift; headroom, so that no shift is negative; out_shift, the shift at exponent 0
//          types: sum_t holds a sum of codes times mean_multiplier, mean_t a mean, difference_t x - mean, centred_t c,
//          square_t a sum of squares, product_t a product and its rounding, shift_t a shift
// storage: the table; two tokens in, two tokens of centred codes
// cycles:  of a token: mean n_in; squares n_in; products n_in, each with II 1. They work on different tokens, so the
//          slowest counts. In Verilog squares also wait for the mean (layer_norm_mean.sv), and products for the inverse
//          root (scale_factor.sv).
//
// Where it rounds: in the mean, in c, in the sum of squares and in the result, always half to even. requantize rounds
// and saturates, to_significand rounds to eight bits; both are in fixed_point.h.

namespace nnet {

// Stores the codes of every token and rounds their mean.
template <class x_T, typename CONFIG_T>
void norm_mean(hls::stream<x_T> &x_stream, hls::stream_of_blocks<typename x_T::value_type[CONFIG_T::n_in]> &tokens,
               hls::stream<typename CONFIG_T::mean_t> &means) {
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        hls::write_lock<typename x_T::value_type[CONFIG_T::n_in]> block(tokens);
        typename CONFIG_T::sum_t sum = 0;
    SUM:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            const typename x_T::value_type x = x_stream.read()[0];
            block[k] = x;
            sum += x;
        }
        const typename CONFIG_T::sum_t scaled = sum * typename CONFIG_T::sum_t(CONFIG_T::mean_multiplier);
        means.write(requantize<typename CONFIG_T::mean_t>(scaled, typename CONFIG_T::shift_t(CONFIG_T::mean_shift)));
    }
}

// Subtracts the mean from every code, rounds the difference to a centred code and adds up the squares.
template <class x_T, typename CONFIG_T>
void norm_squares(hls::stream_of_blocks<x_T[CONFIG_T::n_in]> &tokens, hls::stream<typename CONFIG_T::mean_t> &means,
                  hls::stream_of_blocks<typename CONFIG_T::centred_t[CONFIG_T::n_in]> &centred,
                  hls::stream<typename CONFIG_T::square_t> &sums) {
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        hls::read_lock<x_T[CONFIG_T::n_in]> x(tokens);
        hls::write_lock<typename CONFIG_T::centred_t[CONFIG_T::n_in]> result(centred);
        const typename CONFIG_T::difference_t mean = means.read();
        typename CONFIG_T::square_t squares = 0;
    SQUARES:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            const typename CONFIG_T::difference_t difference =
                (typename CONFIG_T::difference_t(x[k]) << CONFIG_T::x_shift) - (mean << CONFIG_T::mean_align);
            const typename CONFIG_T::centred_t c = requantize<typename CONFIG_T::centred_t>(
                difference, typename CONFIG_T::shift_t(CONFIG_T::centred_shift));
            result[k] = c;
            squares += c * c;
        }
        sums.write(squares);
    }
}

// Multiplies the centred codes of every token with the inverse root of their sum of squares and rounds the products.
template <class res_T, typename CONFIG_T>
void norm_products(hls::stream_of_blocks<typename CONFIG_T::centred_t[CONFIG_T::n_in]> &centred,
                   hls::stream<typename CONFIG_T::square_t> &sums, hls::stream<res_T> &res_stream,
                   typename CONFIG_T::inverse_table_t inverse_table[256]) {
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        hls::read_lock<typename CONFIG_T::centred_t[CONFIG_T::n_in]> c(centred);
        const significand variance = to_significand(sums.read());
        const bool odd = variance.exponent[0];
        const typename CONFIG_T::inverse_table_t inverse =
            inverse_table[(odd ? 128 : 0) + unsigned(variance.mantissa) - 128];
        const typename CONFIG_T::shift_t shift = int(CONFIG_T::out_shift) + int(variance.exponent >> 1);
    PRODUCTS:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            const typename CONFIG_T::product_t product = typename CONFIG_T::product_t(c[k] * inverse)
                                                         << CONFIG_T::headroom;
            res_T res;
            res[0] = requantize<typename res_T::value_type>(product, shift);
            res_stream.write(res);
        }
    }
}

template <class x_T, class res_T, typename CONFIG_T>
void integer_layer_norm(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
                        typename CONFIG_T::inverse_table_t inverse_table[256]) {
#pragma HLS DATAFLOW
    typedef typename x_T::value_type x_t;
    hls::stream_of_blocks<x_t[CONFIG_T::n_in]> tokens;
    hls::stream<typename CONFIG_T::mean_t> means("means");
    hls::stream_of_blocks<typename CONFIG_T::centred_t[CONFIG_T::n_in]> centred;
    hls::stream<typename CONFIG_T::square_t> sums("sums");
    PIPELINE_PROCESS(norm_mean<x_T, CONFIG_T>(x_stream, tokens, means));
    PIPELINE_PROCESS(norm_squares<x_t, CONFIG_T>(tokens, means, centred, sums));
    PIPELINE_PROCESS(norm_products<res_T, CONFIG_T>(centred, sums, res_stream, inverse_table));
}

} // namespace nnet

#endif
