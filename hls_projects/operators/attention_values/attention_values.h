#ifndef ATTENTION_VALUES_H_
#define ATTENTION_VALUES_H_

#include "fixed_point.h"
#include "lanes.h"
#include "window.h"

// The last n_window values weighted by the attention probabilities, tile by tile of queries, head by head.
//
// in:      p: n_tokens queries of n_heads * n_window probability codes, an element a word
//          v: n_tokens tokens of n_heads * head_dim activation codes, an element a word
// out:     n_tokens tokens of n_heads * head_dim activation codes, an element a word
// storage: two windows of n_window * n_heads * head_dim value codes; two queries in; the sums of two
//          groups; two tokens out
// cycles:  of a query: load n_heads * n_window; multiply n_heads / parallel_heads * head_dim / parallel_channels * n_window;
//          requantize and write n_heads * head_dim each. They work on different queries. The next
//          window is loaded meanwhile (window.h).
//
// A group is parallel_heads heads times parallel_channels channels. Slots before the first key have a
// value of 0, whatever their probability.
//
// out[i][h][c] = requantize(sum_s p[i][h][s] * v[key][h][c], out_shift)

namespace nnet {

template <typename CONFIG_T> struct values_group {
    static const unsigned parallel_heads = lanes<CONFIG_T>::all ? 1 : CONFIG_T::parallel_heads;
    static const unsigned parallel_channels = lanes<CONFIG_T>::all ? CONFIG_T::head_dim : CONFIG_T::parallel_channels;
    static const unsigned size = parallel_heads * parallel_channels;
};

template <class p_T, class v_T, typename CONFIG_T>
void values_multiply(hls::stream_of_blocks<p_T[CONFIG_T::n_heads * CONFIG_T::n_window]> &queries,
                     hls::stream_of_blocks<v_T[CONFIG_T::n_window * CONFIG_T::n_heads * CONFIG_T::head_dim]> &windows,
                     hls::stream_of_blocks<typename CONFIG_T::accum_t[values_group<CONFIG_T>::size]> &groups) {
    const unsigned n_channels = CONFIG_T::n_heads * CONFIG_T::head_dim;
    const unsigned parallel_heads = values_group<CONFIG_T>::parallel_heads;
    const unsigned parallel_channels = values_group<CONFIG_T>::parallel_channels;
WINDOWS:
    for (unsigned index = 0; index < window_blocks<CONFIG_T>::count; index++) {
        hls::read_lock<v_T[CONFIG_T::n_window * n_channels]> values(windows);
    QUERIES:
        for (unsigned query = 0; query < window_blocks<CONFIG_T>::queries; query++) {
            hls::read_lock<p_T[CONFIG_T::n_heads * CONFIG_T::n_window]> weights(queries);
        HEAD_GROUPS:
            for (unsigned head_group = 0; head_group < CONFIG_T::n_heads / parallel_heads; head_group++) {
            CHANNEL_GROUPS:
                for (unsigned channel_group = 0; channel_group < CONFIG_T::head_dim / parallel_channels; channel_group++) {
                    typename CONFIG_T::accum_t sums[values_group<CONFIG_T>::size];
#pragma HLS ARRAY_PARTITION variable=sums complete
                CLEAR:
                    for (unsigned p = 0; p < values_group<CONFIG_T>::size; p++) {
#pragma HLS UNROLL
                        sums[p] = 0;
                    }
                SLOTS:
                    for (unsigned slot = 0; slot < CONFIG_T::n_window; slot++) {
#pragma HLS PIPELINE II = 1
                    HEADS:
                        for (unsigned h = 0; h < parallel_heads; h++) {
#pragma HLS UNROLL
                            const unsigned head = head_group * parallel_heads + h;
                            const unsigned first = slot * n_channels + head * CONFIG_T::head_dim +
                                                   channel_group * parallel_channels;
                        CHANNELS:
                            for (unsigned p = 0; p < parallel_channels; p++) {
#pragma HLS UNROLL
                                sums[h * parallel_channels + p] +=
                                    weights[head * CONFIG_T::n_window + slot] * values[first + p];
                            }
                        }
                    }
                    hls::write_lock<typename CONFIG_T::accum_t[values_group<CONFIG_T>::size]> group(groups);
                HAND_OVER:
                    for (unsigned p = 0; p < values_group<CONFIG_T>::size; p++) {
#pragma HLS UNROLL
                        group[p] = sums[p];
                    }
                }
            }
        }
    }
}

template <class res_T, typename CONFIG_T>
void values_requantize(hls::stream_of_blocks<typename CONFIG_T::accum_t[values_group<CONFIG_T>::size]> &groups,
                       hls::stream_of_blocks<res_T[CONFIG_T::n_heads * CONFIG_T::head_dim]> &tokens) {
    const unsigned parallel_heads = values_group<CONFIG_T>::parallel_heads;
    const unsigned parallel_channels = values_group<CONFIG_T>::parallel_channels;
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        hls::write_lock<res_T[CONFIG_T::n_heads * CONFIG_T::head_dim]> result(tokens);
    HEAD_GROUPS:
        for (unsigned head_group = 0; head_group < CONFIG_T::n_heads / parallel_heads; head_group++) {
        CHANNEL_GROUPS:
            for (unsigned channel_group = 0; channel_group < CONFIG_T::head_dim / parallel_channels; channel_group++) {
                hls::read_lock<typename CONFIG_T::accum_t[values_group<CONFIG_T>::size]> group(groups);
            HEADS:
                for (unsigned h = 0; h < parallel_heads; h++) {
                CHANNELS:
                    for (unsigned p = 0; p < parallel_channels; p++) {
#pragma HLS PIPELINE II = 1
                        const unsigned head = head_group * parallel_heads + h;
                        const unsigned channel = channel_group * parallel_channels + p;
                        result[head * CONFIG_T::head_dim + channel] =
                            requantize<res_T>(group[h * parallel_channels + p],
                                              typename CONFIG_T::shift_t(CONFIG_T::out_shift));
                    }
                }
            }
        }
    }
}

template <class p_T, class v_T, class res_T, typename CONFIG_T>
void attention_values(hls::stream<p_T> &p_stream, hls::stream<v_T> &v_stream, hls::stream<res_T> &res_stream) {
#pragma HLS DATAFLOW
    const unsigned n_channels = CONFIG_T::n_heads * CONFIG_T::head_dim;
    const unsigned n_weights = CONFIG_T::n_heads * CONFIG_T::n_window;
    typedef typename p_T::value_type p_t;
    typedef typename v_T::value_type v_t;
    typedef typename res_T::value_type res_t;
    hls::stream_of_blocks<p_t[n_weights]> queries;
    hls::stream_of_blocks<v_t[CONFIG_T::n_window * n_channels]> windows;
    hls::stream_of_blocks<typename CONFIG_T::accum_t[values_group<CONFIG_T>::size]> groups;
    hls::stream_of_blocks<res_t[n_channels]> tokens;
    PIPELINE_PROCESS(load_windows<n_channels, true, CONFIG_T>(v_stream, windows));
    PIPELINE_PROCESS(load_blocks<CONFIG_T::n_tokens, n_weights>(p_stream, queries));
    PIPELINE_PROCESS(values_multiply<p_t, v_t, CONFIG_T>(queries, windows, groups));
    PIPELINE_PROCESS(values_requantize<res_t, CONFIG_T>(groups, tokens));
    PIPELINE_PROCESS(write_blocks<CONFIG_T::n_tokens, n_channels>(tokens, res_stream));
}

} // namespace nnet

#endif
