#ifndef POT_LINEAR_H_
#define POT_LINEAR_H_

#include "blocks.h"
#include "lanes.h"
#include "pot_element.h"

// Linear layer with power-of-two weights.
//
//   out[n] = requantize((sum_k weight[n][k] * in[k] << acc_shift[n]) + bias[n], out_shift[n])
//
// in       n_tokens tokens of n_in activation codes, a code a word.
// out      n_tokens tokens of n_out activation codes, as many codes a word as res_T has.
// codes    weights, [n_groups][n_steps][pe]. A group is pe outputs that are worked on at the same time; output n is
//          element n % pe of group n / pe. A code is offset | sign | exponent | mantissa, from the high bit to the low
//          one. Dense, step k has the weights of input k, and a code has no offset. Sparse, the steps are the weights
//          of a row other than zero, block_nonzeros for every block of block_size inputs, and the offset says which
//          input of the block a weight belongs to. Unused steps and elements have the code 0.
// tokens   parallel_tokens, which divides n_tokens, are worked on together: a code that is read is used for each.
// storage  the codes; n_out biases and shifts; twice parallel_tokens tokens that come in; the sums of two groups; the
//          results of all tokens that are worked on together except the first.
// cycles   of parallel_tokens tokens, for three processes that work on different tokens, so that the slowest counts:
//            load      parallel_tokens * n_in
//            multiply  n_groups * (ceil(n_steps / simd) + drain); drain is 2^exponent_bits - 1 with buckets, else 0
//            write     parallel_tokens * n_out, and (parallel_tokens - 1) * n_out for results that wait for those of
//                      the first token

namespace nnet {

// Tokens that are worked on together: size of them at a time, count times. lanes.h has all tokens in one vector.
template <typename CONFIG_T> struct token_group {
    static const unsigned size = lanes<CONFIG_T>::all ? CONFIG_T::n_tokens : CONFIG_T::parallel_tokens;
    static const unsigned count = CONFIG_T::n_tokens / size;
    // Sums of a group of outputs, of all these tokens.
    static const unsigned n_sums = size * CONFIG_T::pe;
};

// The input that a weight of step `step` of a sparse layer multiplies.
template <typename CONFIG_T> unsigned sparse_input(unsigned step, unsigned code) {
#pragma HLS INLINE
    const unsigned offset = code >> (1 + CONFIG_T::exponent_bits + CONFIG_T::mantissa_bits);
    return step / CONFIG_T::block_nonzeros * CONFIG_T::block_size + offset;
}

// From the stream to blocks of tokens that are worked on together; their elements of the same input follow each other,
// so that one read serves all tokens.
template <typename CONFIG_T, class x_T>
void load_token_groups(hls::stream<x_T> &x_stream,
                       hls::stream_of_blocks<typename x_T::value_type[token_group<CONFIG_T>::size * CONFIG_T::n_in]> &tokens) {
    const unsigned n_tokens = token_group<CONFIG_T>::size;
GROUPS:
    for (unsigned i = 0; i < token_group<CONFIG_T>::count; i++) {
        hls::write_lock<typename x_T::value_type[n_tokens * CONFIG_T::n_in]> x(tokens);
    TOKENS:
        for (unsigned t = 0; t < n_tokens; t++) {
        INPUTS:
            for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
                x[k * n_tokens + t] = x_stream.read()[0];
            }
        }
    }
}

// Sums of products, group by group. An element, see pot_element.h, sums for one output of one token; all elements of a
// group work at the same time.
template <class x_T, typename CONFIG_T>
void pot_multiply(hls::stream_of_blocks<x_T[token_group<CONFIG_T>::size * CONFIG_T::n_in]> &tokens,
                  hls::stream_of_blocks<typename CONFIG_T::accum_t[token_group<CONFIG_T>::n_sums]> &groups,
                  typename CONFIG_T::codes_t codes[CONFIG_T::n_groups * CONFIG_T::n_steps * CONFIG_T::pe]) {
    const unsigned pe = CONFIG_T::pe;
    const unsigned n_tokens = token_group<CONFIG_T>::size;
#pragma HLS ARRAY_RESHAPE variable=codes cyclic factor=pe
TOKENS:
    for (unsigned i = 0; i < token_group<CONFIG_T>::count; i++) {
        hls::read_lock<x_T[n_tokens * CONFIG_T::n_in]> x(tokens);
    GROUPS:
        for (unsigned group = 0; group < CONFIG_T::n_groups; group++) {
            typename pot_element<CONFIG_T, CONFIG_T::element_kind>::type elements[n_tokens * pe];
#pragma HLS ARRAY_PARTITION variable=elements complete
        CLEAR:
            for (unsigned e = 0; e < n_tokens * pe; e++) {
#pragma HLS UNROLL
                elements[e].clear();
            }
        STEPS:
            for (unsigned step = 0; step < CONFIG_T::n_steps; step++) {
#pragma HLS PIPELINE II = 1
#pragma HLS UNROLL factor=CONFIG_T::simd
                const unsigned word = (group * CONFIG_T::n_steps + step) * pe;
            ELEMENTS:
                for (unsigned p = 0; p < pe; p++) {
#pragma HLS UNROLL
                    const unsigned code = codes[word + p];
                    const unsigned input = CONFIG_T::sparse ? sparse_input<CONFIG_T>(step, code) : step;
                PARALLEL_TOKENS:
                    for (unsigned t = 0; t < n_tokens; t++) {
#pragma HLS UNROLL
                        elements[p * n_tokens + t].add(x[input * n_tokens + t], code);
                    }
                }
            }
            hls::write_lock<typename CONFIG_T::accum_t[token_group<CONFIG_T>::n_sums]> sums(groups);
        DRAIN:
            for (unsigned e = 0; e < n_tokens * pe; e++) {
#pragma HLS UNROLL
                sums[e] = elements[e].drain();
            }
        }
    }
}

// From sums to codes, in the order of the stream: the first token's results leave at once, those of the others wait
// until the tokens before have left.
template <class res_T, typename CONFIG_T>
void pot_requantize(hls::stream_of_blocks<typename CONFIG_T::accum_t[token_group<CONFIG_T>::n_sums]> &groups,
                    hls::stream<res_T> &res_stream, typename CONFIG_T::bias_t bias[CONFIG_T::n_out],
                    typename CONFIG_T::acc_shift_t acc_shift[CONFIG_T::n_out],
                    typename CONFIG_T::out_shift_t out_shift[CONFIG_T::n_out]) {
    const unsigned n_tokens = token_group<CONFIG_T>::size;
    // Tokens whose results leave at once; none in a vector of all tokens.
    const unsigned n_direct = lanes<CONFIG_T>::all ? 0 : 1;
TOKENS:
    for (unsigned i = 0; i < token_group<CONFIG_T>::count; i++) {
        res_T res;
        typename res_T::value_type waiting[CONFIG_T::n_out * n_tokens];
    GROUPS:
        for (unsigned group = 0; group < CONFIG_T::n_groups; group++) {
            hls::read_lock<typename CONFIG_T::accum_t[token_group<CONFIG_T>::n_sums]> sums(groups);
        ELEMENTS:
            for (unsigned p = 0; p < CONFIG_T::pe; p++) {
#pragma HLS PIPELINE II = n_tokens
                const unsigned n = group * CONFIG_T::pe + p;
                // The last group may be smaller.
                if (n < CONFIG_T::n_out) {
                PARALLEL_TOKENS:
                    for (unsigned t = 0; t < n_tokens; t++) {
#pragma HLS UNROLL
                        const typename CONFIG_T::accum_t total = (sums[p * n_tokens + t] << acc_shift[n]) + bias[n];
                        if (t >= n_direct) {
                            waiting[n * n_tokens + t] = requantize<typename res_T::value_type>(total, out_shift[n]);
                        } else {
                            res[n % res_T::size] = requantize<typename res_T::value_type>(total, out_shift[n]);
                            if ((n + 1) % res_T::size == 0)
                                res_stream.write(res);
                        }
                    }
                }
            }
        }
    WAITING:
        for (unsigned t = 0; t < n_tokens - n_direct; t++) {
        OUTPUTS:
            for (unsigned n = 0; n < CONFIG_T::n_out; n++) {
#pragma HLS PIPELINE II = 1
                res[n % res_T::size] = waiting[n * n_tokens + n_direct + t];
                if ((n + 1) % res_T::size == 0)
                    res_stream.write(res);
            }
        }
    }
}

template <class x_T, class res_T, typename CONFIG_T>
void pot_linear(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
                typename CONFIG_T::codes_t codes[CONFIG_T::n_groups * CONFIG_T::n_steps * CONFIG_T::pe],
                typename CONFIG_T::bias_t bias[CONFIG_T::n_out],
                typename CONFIG_T::acc_shift_t acc_shift[CONFIG_T::n_out],
                typename CONFIG_T::out_shift_t out_shift[CONFIG_T::n_out]) {
#pragma HLS DATAFLOW
    typedef typename x_T::value_type x_t;
    hls::stream_of_blocks<x_t[token_group<CONFIG_T>::size * CONFIG_T::n_in]> tokens;
    hls::stream_of_blocks<typename CONFIG_T::accum_t[token_group<CONFIG_T>::n_sums]> groups;
    PIPELINE_PROCESS(load_token_groups<CONFIG_T>(x_stream, tokens));
    PIPELINE_PROCESS(pot_multiply<x_t, CONFIG_T>(tokens, groups, codes));
    PIPELINE_PROCESS(pot_requantize<res_T, CONFIG_T>(groups, res_stream, bias, acc_shift, out_shift));
}

} // namespace nnet

#endif
