#ifndef POT_ELEMENT_H_
#define POT_ELEMENT_H_

#include "fixed_point.h"

// Processing elements of a linear layer with power-of-two (PoT) weights. An element accumulates the products of the
// weights of one output with the activations. The three kinds give the same sums and differ in the resources that they
// need: a shifter and an adder, an adder and a set of accumulators, or a multiplier.
//
// A weight is a code of 1 + exponent_bits + mantissa_bits bits: sign, exponent, mantissa, from the highest bit down.
// Its value, in units of the smallest magnitude, is (-1)^sign * significand * 2^shift, where exponent 0 has no leading
// one (subnormal). Without a mantissa a product is zero or one shifted activation, with a mantissa of two bits it is a
// sum of up to three.
//
// CONFIG_T of a linear layer has
//   exponent_bits, mantissa_bits: of a code
//   accum_t:                      signed, holds the sum of all products
//   bucket_t:                     signed, holds the sum of all activations times significands of one exponent
//
// Every element has the same interface:
//   clear(): before the first product of an output
//   add(x, code): accumulates x times the weight `code`; called once a cycle
//   drain(): the sum

namespace nnet {

// The fields of a code.
template <typename CONFIG_T> struct pot_code {
    static const unsigned exponent_mask = (1u << CONFIG_T::exponent_bits) - 1;
    static const unsigned mantissa_mask = (1u << CONFIG_T::mantissa_bits) - 1;

    static unsigned exponent(unsigned code) { return (code >> CONFIG_T::mantissa_bits) & exponent_mask; }
    static bool negative(unsigned code) {
        return ((code >> (CONFIG_T::exponent_bits + CONFIG_T::mantissa_bits)) & 1) != 0;
    }
    // The mantissa with the leading one, which exponent 0 does not have.
    static unsigned significand(unsigned code) {
        return (code & mantissa_mask) | (unsigned(exponent(code) != 0) << CONFIG_T::mantissa_bits);
    }
    // Exponents 0 and 1 have the same shift, as in IEEE 754.
    static unsigned shift(unsigned code) { return exponent(code) != 0 ? exponent(code) - 1 : 0; }
};

// x times the significand of a weight, as the sum of mantissa_bits + 1 terms that are x shifted, or zero.
//
// sum_T: signed, holds the product
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

// kind 0: a barrel shifter before the accumulator.
//
// add():   II 1; the shifter and the adder are in one cycle's path
// drain(): combinational
// storage: one accum_t
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

// kind 1: an accumulator ("bucket") for every shift. Products are added without being shifted; drain() then combines
// the buckets from the largest shift to the smallest one, shifting by one bit at a time (Horner's rule). There is no
// barrel shifter, and the accumulators are narrower, for the price of more of them and of the cycles to drain.
//
// add():   II 1
// drain(): n_buckets cycles, II 1
// storage: n_buckets bucket_t, in registers because add() reads and writes one of them in every cycle
template <typename CONFIG_T> struct bucket_element {
    // One for each shift; exponents 0 and 1 share one.
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

// kind 2: a multiplier (DSP slice), which takes the weight as an integer.
//
// add():   II 1
// drain(): combinational
// storage: one accum_t, which is the accumulator of the DSP slice
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

// The element of a kind: 0 shift, 1 bucket, 2 dsp; CONFIG_T::element_kind of a configuration.
template <typename CONFIG_T, unsigned kind> struct pot_element {
    typedef shift_element<CONFIG_T> type;
};

// In a vectorized simulation (lanes.h) every kind is the shift element: it gives the same sums, and compilers
// vectorize it.
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
