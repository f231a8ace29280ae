#ifndef INTEGER_SOFTMAX_H_
#define INTEGER_SOFTMAX_H_

#include "fixed_point.h"
#include "window.h"

// Softmax of score codes. A row has the scores of one query and head, a slot of the window for each key (window.h).
//
// e[s]     = exp_table[max - x[s]]
// sum of e = mantissa * 2^exponent, rounded to eight significant bits
// out[s]   = requantize(e[s] * reciprocal_table[mantissa - 128], out_shift + exponent)
//
// Slots before the first key count neither for the maximum nor for the sum, whatever they hold, and give 0.
//
// in:      n_tokens queries of n_heads rows of n_window score codes, a code a word
// out:     the same of probability codes
// tables:  exp_table[n_codes], indexed by the distance to the row's maximum; reciprocal_table[128]
// config:  n_tokens, tile_size, load_size, n_window (window.h); n_heads; n_codes; out_shift, the shift at exponent 0;
//          types: sum_t holds a sum of exponentials, product_t a product and its rounding, shift_t a shift
// storage: the tables; two rows of scores, two rows of exponentials
// cycles:  of a row: maximum n_window; exponentials n_window; products n_window, each with II 1. They work on different
//          rows, so the slowest counts. In Verilog a row of products also waits for its reciprocal (scale_factor.sv).
//
// Where it rounds: to_significand rounds the sum half to even; requantize rounds a product half to even and saturates
// it. Both are in fixed_point.h.

namespace nnet {

// Stores the scores of every row and finds their maximum.
template <class x_T, typename CONFIG_T>
void softmax_maximum(hls::stream<x_T> &x_stream,
                     hls::stream_of_blocks<typename x_T::value_type[CONFIG_T::n_window]> &rows,
                     hls::stream<typename x_T::value_type> &maxima) {
ROWS:
    for (unsigned row = 0; row < CONFIG_T::n_tokens * CONFIG_T::n_heads; row++) {
        const unsigned first = first_slot<CONFIG_T>(row / CONFIG_T::n_heads / window_blocks<CONFIG_T>::queries);
        hls::write_lock<typename x_T::value_type[CONFIG_T::n_window]> scores(rows);
        typename x_T::value_type highest = 0;
    MAXIMUM:
        for (unsigned slot = 0; slot < CONFIG_T::n_window; slot++) {
#pragma HLS PIPELINE II = 1
            const typename x_T::value_type x = x_stream.read()[0];
            scores[slot] = x;
            if (slot <= first || x > highest)
                highest = x;
        }
        maxima.write(highest);
    }
}

// Looks up the exponentials of every row and adds them up. Slots before the first key get 0.
template <class x_T, typename CONFIG_T>
void softmax_exponentials(hls::stream_of_blocks<x_T[CONFIG_T::n_window]> &rows, hls::stream<x_T> &maxima,
                          hls::stream_of_blocks<typename CONFIG_T::exp_table_t[CONFIG_T::n_window]> &exps,
                          hls::stream<typename CONFIG_T::sum_t> &sums,
                          typename CONFIG_T::exp_table_t exp_table[CONFIG_T::n_codes]) {
ROWS:
    for (unsigned row = 0; row < CONFIG_T::n_tokens * CONFIG_T::n_heads; row++) {
        const unsigned first = first_slot<CONFIG_T>(row / CONFIG_T::n_heads / window_blocks<CONFIG_T>::queries);
        hls::read_lock<x_T[CONFIG_T::n_window]> scores(rows);
        hls::write_lock<typename CONFIG_T::exp_table_t[CONFIG_T::n_window]> result(exps);
        const x_T highest = maxima.read();
        typename CONFIG_T::sum_t sum = 0;
    EXPONENTIALS:
        for (unsigned slot = 0; slot < CONFIG_T::n_window; slot++) {
#pragma HLS PIPELINE II = 1
            typename CONFIG_T::exp_table_t e = 0;
            if (slot >= first)
                e = exp_table[unsigned(highest - scores[slot])];
            result[slot] = e;
            sum += e;
        }
        sums.write(sum);
    }
}

// Multiplies the exponentials of every row with the reciprocal of their sum and rounds the products.
template <class res_T, typename CONFIG_T>
void softmax_products(hls::stream_of_blocks<typename CONFIG_T::exp_table_t[CONFIG_T::n_window]> &exps,
                      hls::stream<typename CONFIG_T::sum_t> &sums, hls::stream<res_T> &res_stream,
                      typename CONFIG_T::reciprocal_table_t reciprocal_table[128]) {
ROWS:
    for (unsigned row = 0; row < CONFIG_T::n_tokens * CONFIG_T::n_heads; row++) {
        hls::read_lock<typename CONFIG_T::exp_table_t[CONFIG_T::n_window]> e(exps);
        const significand total = to_significand(sums.read());
        const typename CONFIG_T::reciprocal_table_t reciprocal = reciprocal_table[unsigned(total.mantissa) - 128];
        const typename CONFIG_T::shift_t shift = int(CONFIG_T::out_shift) + int(total.exponent);
    PROBABILITIES:
        for (unsigned slot = 0; slot < CONFIG_T::n_window; slot++) {
#pragma HLS PIPELINE II = 1
            const typename CONFIG_T::product_t product = e[slot] * reciprocal;
            res_T res;
            res[0] = requantize<typename res_T::value_type>(product, shift);
            res_stream.write(res);
        }
    }
}

template <class x_T, class res_T, typename CONFIG_T>
void integer_softmax(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
                     typename CONFIG_T::exp_table_t exp_table[CONFIG_T::n_codes],
                     typename CONFIG_T::reciprocal_table_t reciprocal_table[128]) {
#pragma HLS DATAFLOW
    typedef typename x_T::value_type x_t;
    hls::stream_of_blocks<x_t[CONFIG_T::n_window]> rows;
    hls::stream<x_t> maxima("maxima");
    hls::stream_of_blocks<typename CONFIG_T::exp_table_t[CONFIG_T::n_window]> exps;
    hls::stream<typename CONFIG_T::sum_t> sums("sums");
    PIPELINE_PROCESS(softmax_maximum<x_T, CONFIG_T>(x_stream, rows, maxima));
    PIPELINE_PROCESS(softmax_exponentials<x_t, CONFIG_T>(rows, maxima, exps, sums, exp_table));
    PIPELINE_PROCESS(softmax_products<res_T, CONFIG_T>(exps, sums, res_stream, reciprocal_table));
}

} // namespace nnet

#endif
