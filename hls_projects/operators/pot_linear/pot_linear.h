#ifndef POT_LINEAR_H_
#define POT_LINEAR_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Linear layer with power-of-two weights.
//
// in:      n_tokens words of n_in activation codes
// out:     n_tokens words of n_out activation codes
// weights: codes[n_out][n_in], sign | exponent | mantissa, from the high bit to the low one.
//          With no mantissa a weight is zero or one shifted activation, with two it is a sum of
//          up to three.
// storage: n_out * n_in codes, n_out biases, shifts and sums, one input word, one output word
// cycles:  n_tokens * n_out * (n_in + 1): one weight a cycle, then one output a cycle
//
// out[n] = requantize((sum_k weight[n][k] * in[k] << acc_shift[n]) + bias[n], out_shift[n])

namespace nnet {

template <typename CONFIG_T, class x_T>
typename CONFIG_T::accum_t pot_product(x_T x, typename CONFIG_T::codes_t code) {
#pragma HLS INLINE
    const unsigned exponent_mask = (1u << CONFIG_T::exponent_bits) - 1;
    const unsigned mantissa_mask = (1u << CONFIG_T::mantissa_bits) - 1;
    const unsigned exponent = (unsigned(code) >> CONFIG_T::mantissa_bits) & exponent_mask;
    const unsigned mantissa = unsigned(code) & mantissa_mask;
    const bool negative = (unsigned(code) >> (CONFIG_T::exponent_bits + CONFIG_T::mantissa_bits)) != 0;
    const bool normal = exponent != 0;
    const unsigned significand = mantissa | (unsigned(normal) << CONFIG_T::mantissa_bits);
    const unsigned shift = normal ? exponent - 1 : 0;

    typename CONFIG_T::accum_t sum = 0;
TERMS:
    for (unsigned bit = 0; bit <= CONFIG_T::mantissa_bits; bit++) {
#pragma HLS UNROLL
        const typename CONFIG_T::accum_t term = ((significand >> bit) & 1) != 0 ? x : x_T(0);
        sum += term << bit;
    }
    sum = sum << shift;
    return negative ? typename CONFIG_T::accum_t(-sum) : sum;
}

template <class x_T, class res_T, typename CONFIG_T>
void pot_linear(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
                typename CONFIG_T::codes_t codes[CONFIG_T::n_out * CONFIG_T::n_in],
                typename CONFIG_T::bias_t bias[CONFIG_T::n_out],
                typename CONFIG_T::acc_shift_t acc_shift[CONFIG_T::n_out],
                typename CONFIG_T::out_shift_t out_shift[CONFIG_T::n_out]) {
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        const x_T x = x_stream.read();
        typename CONFIG_T::accum_t sums[CONFIG_T::n_out];
    OUTPUTS:
        for (unsigned n = 0; n < CONFIG_T::n_out; n++) {
            typename CONFIG_T::accum_t sum = 0;
        INPUTS:
            for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
                sum += pot_product<CONFIG_T>(x[k], codes[n * CONFIG_T::n_in + k]);
            }
            sums[n] = sum;
        }
        res_T res;
    REQUANTIZE:
        for (unsigned n = 0; n < CONFIG_T::n_out; n++) {
#pragma HLS PIPELINE II = 1
            const typename CONFIG_T::accum_t total = (sums[n] << acc_shift[n]) + bias[n];
            res[n] = requantize<typename res_T::value_type>(total, out_shift[n]);
        }
        res_stream.write(res);
    }
}

} // namespace nnet

#endif
