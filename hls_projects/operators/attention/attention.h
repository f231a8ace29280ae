#ifndef ATTENTION_H_
#define ATTENTION_H_

#include "fixed_point.h"
#include "lanes.h"
#include "window.h"

// The two products of attention: scores of queries against keys, and values weighted by probabilities.
//
// scores:  out[i][h][s] = requantize(sum_c q[i][h][c] * k[key][h][c], out_shift), 0 in slots before the first key
// values:  out[i][h][c] = requantize(sum_s p[i][h][s] * v[key][h][c], out_shift), where slots before the first key
//          have values of 0, whatever their probability
//
// in:      shared, a query: n_tokens rows of n_heads * n_steps codes (q: n_steps = head_dim; p: n_steps = n_window)
//          stored, for the queries of a window (window.h): n_tokens rows of n_heads * head_dim codes (k or v)
// out:     n_tokens rows of n_heads * n_sums codes (scores: n_sums = n_window; values: n_sums = head_dim)
//          All streams have a code a word.
// config:  n_tokens, tile_size, load_size, n_window (window.h); n_heads, head_dim; out_shift; the folding
//          parallel_heads and parallel_keys (scores) or parallel_channels (values); accum_t, which holds a sum and
//          its rounding; shift_t, which holds out_shift
// storage: two windows of n_window * n_heads * head_dim codes; two queries; the sums of two groups; two rows out
// cycles:  of a query: load n_heads * n_steps; multiply n_heads / parallel_heads * n_sums / parallel_sums * n_steps;
//          requantize and write n_heads * n_sums each. They work on different queries, so the slowest counts. The next
//          window is loaded meanwhile.
//
// A group is parallel_sums sums of each of parallel_heads heads; its products of a step are computed in one cycle.

namespace nnet {

// Heads whose sums are computed together.
template <typename CONFIG_T> struct attention_heads {
    static const unsigned parallel = lanes<CONFIG_T>::all ? 1 : CONFIG_T::parallel_heads;
};

// Every query with its window, group after group of sums.
// n_steps, n_sums, parallel_sums: see above
// over_slots: a sum runs over the slots of the window (values) and not over channels (scores). The window has its codes
//          in the order of the steps, so that a step reads parallel_sums codes that follow each other.
// cycles:  n_tokens * groups of a query * n_steps
template <unsigned n_steps, unsigned n_sums, unsigned parallel_sums, bool over_slots, class shared_T, class stored_T,
          typename CONFIG_T>
void attention_multiply(
    hls::stream_of_blocks<shared_T[CONFIG_T::n_heads * n_steps]> &queries,
    hls::stream_of_blocks<stored_T[CONFIG_T::n_window * CONFIG_T::n_heads * CONFIG_T::head_dim]> &windows,
    hls::stream_of_blocks<typename CONFIG_T::accum_t[attention_heads<CONFIG_T>::parallel * parallel_sums]> &groups) {
    const unsigned parallel_heads = attention_heads<CONFIG_T>::parallel;
    const unsigned group_size = parallel_heads * parallel_sums;
WINDOWS:
    for (unsigned index = 0; index < window_blocks<CONFIG_T>::count; index++) {
        hls::read_lock<stored_T[CONFIG_T::n_window * CONFIG_T::n_heads * CONFIG_T::head_dim]> stored(windows);
    QUERIES:
        for (unsigned query = 0; query < window_blocks<CONFIG_T>::queries; query++) {
            hls::read_lock<shared_T[CONFIG_T::n_heads * n_steps]> shared(queries);
        HEAD_GROUPS:
            for (unsigned head_group = 0; head_group < CONFIG_T::n_heads / parallel_heads; head_group++) {
            SUM_GROUPS:
                for (unsigned sum_group = 0; sum_group < n_sums / parallel_sums; sum_group++) {
                    typename CONFIG_T::accum_t sums[group_size];
#pragma HLS ARRAY_PARTITION variable=sums complete
                CLEAR:
                    for (unsigned p = 0; p < group_size; p++) {
#pragma HLS UNROLL
                        sums[p] = 0;
                    }
                STEPS:
                    for (unsigned step = 0; step < n_steps; step++) {
#pragma HLS PIPELINE II = 1
                    HEADS:
                        for (unsigned h = 0; h < parallel_heads; h++) {
#pragma HLS UNROLL
                            const unsigned head = head_group * parallel_heads + h;
                            const unsigned row = over_slots ? step * CONFIG_T::n_heads + head : head * n_steps + step;
                            const unsigned first = row * n_sums + sum_group * parallel_sums;
                        SUMS:
                            for (unsigned p = 0; p < parallel_sums; p++) {
#pragma HLS UNROLL
                                sums[h * parallel_sums + p] += shared[head * n_steps + step] * stored[first + p];
                            }
                        }
                    }
                    hls::write_lock<typename CONFIG_T::accum_t[group_size]> group(groups);
                HAND_OVER:
                    for (unsigned p = 0; p < group_size; p++) {
#pragma HLS UNROLL
                        group[p] = sums[p];
                    }
                }
            }
        }
    }
}

// The sums of every query to a row of result codes.
// clears_empty_slots: the sums are those of slots (scores), and sums of slots before the first key become 0
// cycles:  n_tokens * n_heads * n_sums
template <unsigned n_sums, unsigned parallel_sums, bool clears_empty_slots, class res_T, typename CONFIG_T>
void attention_requantize(
    hls::stream_of_blocks<typename CONFIG_T::accum_t[attention_heads<CONFIG_T>::parallel * parallel_sums]> &groups,
    hls::stream_of_blocks<res_T[CONFIG_T::n_heads * n_sums]> &rows) {
    const unsigned parallel_heads = attention_heads<CONFIG_T>::parallel;
    const unsigned group_size = parallel_heads * parallel_sums;
WINDOWS:
    for (unsigned index = 0; index < window_blocks<CONFIG_T>::count; index++) {
        const unsigned first = first_slot<CONFIG_T>(index);
    QUERIES:
        for (unsigned query = 0; query < window_blocks<CONFIG_T>::queries; query++) {
            hls::write_lock<res_T[CONFIG_T::n_heads * n_sums]> row(rows);
        HEAD_GROUPS:
            for (unsigned head_group = 0; head_group < CONFIG_T::n_heads / parallel_heads; head_group++) {
            SUM_GROUPS:
                for (unsigned sum_group = 0; sum_group < n_sums / parallel_sums; sum_group++) {
                    hls::read_lock<typename CONFIG_T::accum_t[group_size]> group(groups);
                HEADS:
                    for (unsigned h = 0; h < parallel_heads; h++) {
                    SUMS:
                        for (unsigned p = 0; p < parallel_sums; p++) {
#pragma HLS PIPELINE II = 1
                            const unsigned head = head_group * parallel_heads + h;
                            const unsigned of_head = sum_group * parallel_sums + p;
                            typename CONFIG_T::accum_t sum = group[h * parallel_sums + p];
                            if (clears_empty_slots && of_head < first)
                                sum = 0;
                            row[head * n_sums + of_head] =
                                requantize<res_T>(sum, typename CONFIG_T::shift_t(CONFIG_T::out_shift));
                        }
                    }
                }
            }
        }
    }
}

// The two kernels repeat their processes: a function of these processes that both called would be one process of the
// caller's region for the synthesiser, and begin an image only after the one before has left.

template <class q_T, class k_T, class res_T, typename CONFIG_T>
void attention_scores(hls::stream<q_T> &q_stream, hls::stream<k_T> &k_stream, hls::stream<res_T> &res_stream) {
#pragma HLS DATAFLOW
    const unsigned n_channels = CONFIG_T::n_heads * CONFIG_T::head_dim;
    const unsigned n_steps = CONFIG_T::head_dim;
    const unsigned n_sums = CONFIG_T::n_window;
    const unsigned parallel = lanes<CONFIG_T>::all ? CONFIG_T::n_window : CONFIG_T::parallel_keys;
    typedef typename q_T::value_type q_t;
    typedef typename k_T::value_type k_t;
    typedef typename res_T::value_type res_t;
    hls::stream_of_blocks<q_t[CONFIG_T::n_heads * n_steps]> queries;
    hls::stream_of_blocks<k_t[CONFIG_T::n_window * n_channels]> windows;
    hls::stream_of_blocks<typename CONFIG_T::accum_t[attention_heads<CONFIG_T>::parallel * parallel]> groups;
    hls::stream_of_blocks<res_t[CONFIG_T::n_heads * n_sums]> rows;
    PIPELINE_PROCESS(load_windows<n_channels, false, CONFIG_T>(k_stream, windows));
    PIPELINE_PROCESS(load_blocks<CONFIG_T::n_tokens, CONFIG_T::n_heads * n_steps>(q_stream, queries));
    PIPELINE_PROCESS(
        attention_multiply<n_steps, n_sums, parallel, false, q_t, k_t, CONFIG_T>(queries, windows, groups));
    PIPELINE_PROCESS(attention_requantize<n_sums, parallel, true, res_t, CONFIG_T>(groups, rows));
    PIPELINE_PROCESS(write_blocks<CONFIG_T::n_tokens, CONFIG_T::n_heads * n_sums>(rows, res_stream));
}

template <class p_T, class v_T, class res_T, typename CONFIG_T>
void attention_values(hls::stream<p_T> &p_stream, hls::stream<v_T> &v_stream, hls::stream<res_T> &res_stream) {
#pragma HLS DATAFLOW
    const unsigned n_channels = CONFIG_T::n_heads * CONFIG_T::head_dim;
    const unsigned n_steps = CONFIG_T::n_window;
    const unsigned n_sums = CONFIG_T::head_dim;
    const unsigned parallel = lanes<CONFIG_T>::all ? CONFIG_T::head_dim : CONFIG_T::parallel_channels;
    typedef typename p_T::value_type p_t;
    typedef typename v_T::value_type v_t;
    typedef typename res_T::value_type res_t;
    hls::stream_of_blocks<p_t[CONFIG_T::n_heads * n_steps]> queries;
    hls::stream_of_blocks<v_t[CONFIG_T::n_window * n_channels]> windows;
    hls::stream_of_blocks<typename CONFIG_T::accum_t[attention_heads<CONFIG_T>::parallel * parallel]> groups;
    hls::stream_of_blocks<res_t[CONFIG_T::n_heads * n_sums]> rows;
    PIPELINE_PROCESS(load_windows<n_channels, true, CONFIG_T>(v_stream, windows));
    PIPELINE_PROCESS(load_blocks<CONFIG_T::n_tokens, CONFIG_T::n_heads * n_steps>(p_stream, queries));
    PIPELINE_PROCESS(
        attention_multiply<n_steps, n_sums, parallel, true, p_t, v_t, CONFIG_T>(queries, windows, groups));
    PIPELINE_PROCESS(attention_requantize<n_sums, parallel, false, res_t, CONFIG_T>(groups, rows));
    PIPELINE_PROCESS(write_blocks<CONFIG_T::n_tokens, CONFIG_T::n_heads * n_sums>(rows, res_stream));
}

} // namespace nnet

#endif
