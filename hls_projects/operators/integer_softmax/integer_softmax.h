#ifndef INTEGER_SOFTMAX_H_
#define INTEGER_SOFTMAX_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Softmax of score codes over the keys of one query and head.
//
// in:      n_tokens words of n_heads * n_keys score codes
// out:     n_tokens words of n_heads * n_keys probability codes
// tables:  exp_table[distance to the row's maximum], reciprocal_table[mantissa - 128]
// storage: the tables, one word in, one word out
// cycles:  n_tokens * n_heads * (3 * n_keys + 1): maximum, exponentials and their sum, products
//
// e[j] = exp_table[max - s[j]];  sum of e = mantissa * 2^exponent to eight significant bits
// out[j] = requantize(e[j] * reciprocal_table[mantissa - 128], out_shift + exponent)

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void integer_softmax(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
             typename CONFIG_T::exp_table_t exp_table[CONFIG_T::n_codes],
             typename CONFIG_T::reciprocal_table_t reciprocal_table[128]) {
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        const x_T x = x_stream.read();
        res_T res;
    HEADS:
        for (unsigned head = 0; head < CONFIG_T::n_heads; head++) {
            const unsigned row = head * CONFIG_T::n_keys;
            typename x_T::value_type highest = x[row];
        MAXIMUM:
            for (unsigned key = 1; key < CONFIG_T::n_keys; key++) {
#pragma HLS PIPELINE II = 1
                if (x[row + key] > highest)
                    highest = x[row + key];
            }

            typename CONFIG_T::exp_table_t exps[CONFIG_T::n_keys];
            typename CONFIG_T::sum_t sum = 0;
        EXPONENTIALS:
            for (unsigned key = 0; key < CONFIG_T::n_keys; key++) {
#pragma HLS PIPELINE II = 1
                exps[key] = exp_table[unsigned(highest - x[row + key])];
                sum += exps[key];
            }

            const significand total = to_significand(sum);
            const typename CONFIG_T::reciprocal_table_t reciprocal = reciprocal_table[unsigned(total.mantissa) - 128];
            const typename CONFIG_T::shift_t shift = int(CONFIG_T::out_shift) + int(total.exponent);
        PROBABILITIES:
            for (unsigned key = 0; key < CONFIG_T::n_keys; key++) {
#pragma HLS PIPELINE II = 1
                const typename CONFIG_T::product_t product = exps[key] * reciprocal;
                res[row + key] = requantize<typename res_T::value_type>(product, shift);
            }
        }
        res_stream.write(res);
    }
}

} // namespace nnet

#endif
