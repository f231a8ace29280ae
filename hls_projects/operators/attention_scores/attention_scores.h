#ifndef ATTENTION_SCORES_H_
#define ATTENTION_SCORES_H_

#include "fixed_point.h"
#include "lanes.h"
#include "window.h"

// Scores of every query against the last n_window keys, tile by tile of queries, head by head.
//
// in:      q, k: n_tokens tokens of n_heads * head_dim activation codes, an element a word
// out:     n_tokens queries of n_heads * n_window score codes, an element a word
// storage: two windows of n_window * n_heads * head_dim key codes; two queries in; the sums of two
//          groups; two queries of scores
// cycles:  of a query: load n_heads * head_dim; multiply n_heads / parallel_heads * n_window / parallel_keys * head_dim;
//          requantize and write n_heads * n_window each. They work on different queries. The next
//          window is loaded meanwhile (window.h).
//
// A group is parallel_heads heads times parallel_keys slots. Slots before the first key are 0.
//
// out[i][h][s] = requantize(sum_c q[i][h][c] * k[key][h][c], out_shift)

namespace nnet {

template <typename CONFIG_T> struct scores_group {
    static const unsigned parallel_heads = lanes<CONFIG_T>::all ? 1 : CONFIG_T::parallel_heads;
    static const unsigned parallel_keys = lanes<CONFIG_T>::all ? CONFIG_T::n_window : CONFIG_T::parallel_keys;
    static const unsigned size = parallel_heads * parallel_keys;
};

template <class q_T, class k_T, typename CONFIG_T>
void scores_multiply(hls::stream_of_blocks<q_T[CONFIG_T::n_heads * CONFIG_T::head_dim]> &queries,
                     hls::stream_of_blocks<k_T[CONFIG_T::n_window * CONFIG_T::n_heads * CONFIG_T::head_dim]> &windows,
                     hls::stream_of_blocks<typename CONFIG_T::accum_t[scores_group<CONFIG_T>::size]> &groups) {
    const unsigned n_channels = CONFIG_T::n_heads * CONFIG_T::head_dim;
    const unsigned parallel_heads = scores_group<CONFIG_T>::parallel_heads;
    const unsigned parallel_keys = scores_group<CONFIG_T>::parallel_keys;
WINDOWS:
    for (unsigned index = 0; index < window_blocks<CONFIG_T>::count; index++) {
        hls::read_lock<k_T[CONFIG_T::n_window * n_channels]> keys(windows);
    QUERIES:
        for (unsigned query = 0; query < window_blocks<CONFIG_T>::queries; query++) {
            hls::read_lock<q_T[n_channels]> q(queries);
        HEAD_GROUPS:
            for (unsigned head_group = 0; head_group < CONFIG_T::n_heads / parallel_heads; head_group++) {
            KEY_GROUPS:
                for (unsigned key_group = 0; key_group < CONFIG_T::n_window / parallel_keys; key_group++) {
                    typename CONFIG_T::accum_t sums[scores_group<CONFIG_T>::size];
#pragma HLS ARRAY_PARTITION variable=sums complete
                CLEAR:
                    for (unsigned p = 0; p < scores_group<CONFIG_T>::size; p++) {
#pragma HLS UNROLL
                        sums[p] = 0;
                    }
                CHANNELS:
                    for (unsigned c = 0; c < CONFIG_T::head_dim; c++) {
#pragma HLS PIPELINE II = 1
                    HEADS:
                        for (unsigned h = 0; h < parallel_heads; h++) {
#pragma HLS UNROLL
                            const unsigned channel =
                                (head_group * parallel_heads + h) * CONFIG_T::head_dim + c;
                            const unsigned first = channel * CONFIG_T::n_window + key_group * parallel_keys;
                        KEYS:
                            for (unsigned p = 0; p < parallel_keys; p++) {
#pragma HLS UNROLL
                                sums[h * parallel_keys + p] += q[channel] * keys[first + p];
                            }
                        }
                    }
                    hls::write_lock<typename CONFIG_T::accum_t[scores_group<CONFIG_T>::size]> group(groups);
                HAND_OVER:
                    for (unsigned p = 0; p < scores_group<CONFIG_T>::size; p++) {
#pragma HLS UNROLL
                        group[p] = sums[p];
                    }
                }
            }
        }
    }
}

template <class res_T, typename CONFIG_T>
void scores_requantize(hls::stream_of_blocks<typename CONFIG_T::accum_t[scores_group<CONFIG_T>::size]> &groups,
                       hls::stream_of_blocks<res_T[CONFIG_T::n_heads * CONFIG_T::n_window]> &rows) {
    const unsigned parallel_heads = scores_group<CONFIG_T>::parallel_heads;
    const unsigned parallel_keys = scores_group<CONFIG_T>::parallel_keys;
WINDOWS:
    for (unsigned index = 0; index < window_blocks<CONFIG_T>::count; index++) {
        const unsigned first = first_slot<CONFIG_T>(index);
    QUERIES:
        for (unsigned query = 0; query < window_blocks<CONFIG_T>::queries; query++) {
            hls::write_lock<res_T[CONFIG_T::n_heads * CONFIG_T::n_window]> row(rows);
        HEAD_GROUPS:
            for (unsigned head_group = 0; head_group < CONFIG_T::n_heads / parallel_heads; head_group++) {
            KEY_GROUPS:
                for (unsigned key_group = 0; key_group < CONFIG_T::n_window / parallel_keys; key_group++) {
                    hls::read_lock<typename CONFIG_T::accum_t[scores_group<CONFIG_T>::size]> group(groups);
                HEADS:
                    for (unsigned h = 0; h < parallel_heads; h++) {
                    KEYS:
                        for (unsigned p = 0; p < parallel_keys; p++) {
#pragma HLS PIPELINE II = 1
                            const unsigned head = head_group * parallel_heads + h;
                            const unsigned slot = key_group * parallel_keys + p;
                            typename CONFIG_T::accum_t sum = group[h * parallel_keys + p];
                            if (slot < first)
                                sum = 0;
                            row[head * CONFIG_T::n_window + slot] =
                                requantize<res_T>(sum, typename CONFIG_T::shift_t(CONFIG_T::out_shift));
                        }
                    }
                }
            }
        }
    }
}

template <class q_T, class k_T, class res_T, typename CONFIG_T>
void attention_scores(hls::stream<q_T> &q_stream, hls::stream<k_T> &k_stream, hls::stream<res_T> &res_stream) {
#pragma HLS DATAFLOW
    const unsigned n_channels = CONFIG_T::n_heads * CONFIG_T::head_dim;
    const unsigned n_scores = CONFIG_T::n_heads * CONFIG_T::n_window;
    typedef typename q_T::value_type q_t;
    typedef typename k_T::value_type k_t;
    typedef typename res_T::value_type res_t;
    hls::stream_of_blocks<q_t[n_channels]> queries;
    hls::stream_of_blocks<k_t[CONFIG_T::n_window * n_channels]> windows;
    hls::stream_of_blocks<typename CONFIG_T::accum_t[scores_group<CONFIG_T>::size]> groups;
    hls::stream_of_blocks<res_t[n_scores]> rows;
    PIPELINE_PROCESS(load_windows<n_channels, false, CONFIG_T>(k_stream, windows));
    PIPELINE_PROCESS(load_blocks<CONFIG_T::n_tokens, n_channels>(q_stream, queries));
    PIPELINE_PROCESS(scores_multiply<q_t, k_t, CONFIG_T>(queries, windows, groups));
    PIPELINE_PROCESS(scores_requantize<res_t, CONFIG_T>(groups, rows));
    PIPELINE_PROCESS(write_blocks<CONFIG_T::n_tokens, n_scores>(rows, res_stream));
}

} // namespace nnet

#endif
