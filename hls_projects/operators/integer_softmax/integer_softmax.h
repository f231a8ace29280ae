#ifndef INTEGER_SOFTMAX_H_
#define INTEGER_SOFTMAX_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Softmax of score codes over the keys of one query and head.
//
// in:      n_tokens words of n_heads * n_window score codes
// out:     n_tokens words of n_heads * n_window probability codes
// tables:  exp_table[distance to the row's maximum], reciprocal_table[mantissa - 128]
// storage: the tables, one word in, one word out
// cycles:  n_tokens * n_heads * (3 * n_window + 1): maximum, exponentials and their sum, products
//
// Before each tile of tile_size queries load_size keys arrive, as in attention_scores.h. Slots before
// the first key count neither for the maximum nor for the sum, whatever they hold, and give 0.
//
// e[s] = exp_table[max - x[s]];  sum of e = mantissa * 2^exponent to eight significant bits
// out[s] = requantize(e[s] * reciprocal_table[mantissa - 128], out_shift + exponent)

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void integer_softmax(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
             typename CONFIG_T::exp_table_t exp_table[CONFIG_T::n_codes],
             typename CONFIG_T::reciprocal_table_t reciprocal_table[128]) {
    const bool all_valid = CONFIG_T::load_size == CONFIG_T::n_window;
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        const unsigned arrived = (token / CONFIG_T::tile_size + 1) * CONFIG_T::load_size;
        const unsigned first = all_valid || arrived >= CONFIG_T::n_window ? 0 : CONFIG_T::n_window - arrived;
        const x_T x = x_stream.read();
        res_T res;
    HEADS:
        for (unsigned head = 0; head < CONFIG_T::n_heads; head++) {
            const unsigned row = head * CONFIG_T::n_window;
            // The last key is always there.
            typename x_T::value_type highest = x[row + CONFIG_T::n_window - 1];
        MAXIMUM:
            for (unsigned slot = 0; slot < CONFIG_T::n_window; slot++) {
#pragma HLS PIPELINE II = 1
                if (slot >= first && x[row + slot] > highest)
                    highest = x[row + slot];
            }

            typename CONFIG_T::exp_table_t exps[CONFIG_T::n_window];
            typename CONFIG_T::sum_t sum = 0;
        EXPONENTIALS:
            for (unsigned slot = 0; slot < CONFIG_T::n_window; slot++) {
#pragma HLS PIPELINE II = 1
                exps[slot] = 0;
                if (slot >= first)
                    exps[slot] = exp_table[unsigned(highest - x[row + slot])];
                sum += exps[slot];
            }

            const significand total = to_significand(sum);
            const typename CONFIG_T::reciprocal_table_t reciprocal = reciprocal_table[unsigned(total.mantissa) - 128];
            const typename CONFIG_T::shift_t shift = int(CONFIG_T::out_shift) + int(total.exponent);
        PROBABILITIES:
            for (unsigned slot = 0; slot < CONFIG_T::n_window; slot++) {
#pragma HLS PIPELINE II = 1
                const typename CONFIG_T::product_t product = exps[slot] * reciprocal;
                res[row + slot] = requantize<typename res_T::value_type>(product, shift);
            }
        }
        res_stream.write(res);
    }
}

} // namespace nnet

#endif
