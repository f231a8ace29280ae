#ifndef POT_ELEMENT_H_
#define POT_ELEMENT_H_

#include "fixed_point.h"

// Processing elements of a linear layer: each sums the products of one output's weights with activations.
// They give the same sums and differ in what they cost.
//
// code: sign | exponent | mantissa of a weight, from the high bit to the low one. With no mantissa a
// weight is zero or one shifted activation, with two it is a sum of up to three.

namespace nnet {

template <typename CONFIG_T> struct pot_code {
    static const unsigned exponent_mask = (1u << CONFIG_T::exponent_bits) - 1;
    static const unsigned mantissa_mask = (1u << CONFIG_T::mantissa_bits) - 1;

    static unsigned exponent(unsigned code) { return (code >> CONFIG_T::mantissa_bits) & exponent_mask; }
    static bool negative(unsigned code) {
        return ((code >> (CONFIG_T::exponent_bits + CONFIG_T::mantissa_bits)) & 1) != 0;
    }
    // Bits of the weight below its leading one, and that one.
    static unsigned significand(unsigned code) {
        return (code & mantissa_mask) | (unsigned(exponent(code) != 0) << CONFIG_T::mantissa_bits);
    }
    static unsigned shift(unsigned code) { return exponent(code) != 0 ? exponent(code) - 1 : 0; }
};

// x times the significand of a weight, by additions.
template <class sum_T, typename CONFIG_T, class x_T> sum_T times_significand(x_T x, unsigned code) {
#pragma HLS INLINE
    sum_T sum = 0;
TERMS:
    for (unsigned bit = 0; bit <= CONFIG_T::mantissa_bits; bit++) {
#pragma HLS UNROLL
        const sum_T term = ((pot_code<CONFIG_T>::significand(code) >> bit) & 1) != 0 ? x : x_T(0);
        sum += term << bit;
    }
    return sum;
}

// A shifter before the accumulator.
template <typename CONFIG_T> struct shift_element {
    typename CONFIG_T::accum_t sum;

    void clear() { sum = 0; }

    template <class x_T> void add(x_T x, unsigned code) {
#pragma HLS INLINE
        const typename CONFIG_T::accum_t product = times_significand<typename CONFIG_T::accum_t, CONFIG_T>(x, code)
                                                     << pot_code<CONFIG_T>::shift(code);
        if (pot_code<CONFIG_T>::negative(code))
            sum -= product;
        else
            sum += product;
    }

    typename CONFIG_T::accum_t drain() { return sum; }
};

// An accumulator for every exponent, which sums activations by sign; nothing is shifted before the end,
// and then by one place at a time.
template <typename CONFIG_T> struct bucket_element {
    static const unsigned n_buckets = (1u << CONFIG_T::exponent_bits) - 1;
    typename CONFIG_T::bucket_t buckets[n_buckets];

    void clear() {
    CLEAR:
        for (unsigned e = 0; e < n_buckets; e++) {
#pragma HLS UNROLL
            buckets[e] = 0;
        }
    }

    template <class x_T> void add(x_T x, unsigned code) {
#pragma HLS INLINE
        const typename CONFIG_T::bucket_t term = times_significand<typename CONFIG_T::bucket_t, CONFIG_T>(x, code);
        buckets[pot_code<CONFIG_T>::shift(code)] +=
            pot_code<CONFIG_T>::negative(code) ? typename CONFIG_T::bucket_t(-term) : term;
    }

    typename CONFIG_T::accum_t drain() {
        typename CONFIG_T::accum_t sum = 0;
    DRAIN:
        for (unsigned e = 0; e < n_buckets; e++) {
#pragma HLS PIPELINE II = 1
            sum = typename CONFIG_T::accum_t(sum << 1) + buckets[n_buckets - 1 - e];
        }
        return sum;
    }
};

// A multiplier: the weight as an integer times the activation.
template <typename CONFIG_T> struct dsp_element {
    typename CONFIG_T::accum_t sum;

    void clear() { sum = 0; }

    template <class x_T> void add(x_T x, unsigned code) {
#pragma HLS INLINE
        const int size = int(pot_code<CONFIG_T>::significand(code) << pot_code<CONFIG_T>::shift(code));
        const typename CONFIG_T::accum_t weight = pot_code<CONFIG_T>::negative(code) ? -size : size;
        sum += weight * typename CONFIG_T::accum_t(x);
    }

    typename CONFIG_T::accum_t drain() { return sum; }
};

// The element that a configuration asks for.
template <typename CONFIG_T, unsigned kind> struct pot_element {
    typedef shift_element<CONFIG_T> type;
};

// All elements give the same sums. This one is the one that compilers make vectors of, see lanes.h.
#ifndef VECTORIZED
template <typename CONFIG_T> struct pot_element<CONFIG_T, 1> {
    typedef bucket_element<CONFIG_T> type;
};
template <typename CONFIG_T> struct pot_element<CONFIG_T, 2> {
    typedef dsp_element<CONFIG_T> type;
};
#endif

} // namespace nnet

#endif
