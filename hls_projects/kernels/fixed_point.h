#ifndef FIXED_POINT_H_
#define FIXED_POINT_H_

#include "ap_int.h"

// Arithmetic of the kernels: saturation, rounding half to even, and rounding to eight significant bits. All functions
// are combinational; they are inlined into the pipeline that calls them.

// Surrounds every call in a dataflow region, in the generated top level and in kernels. For synthesis and sequential
// simulation it is the call itself; a simulation with a thread for every process redefines it.
#ifndef PIPELINE_PROCESS
#define PIPELINE_PROCESS(...) __VA_ARGS__
#endif

namespace nnet {

// Width in bits, highest and lowest value of an integer type. Kernels get their types from their configuration and
// never name ap_int for data, so that they also compile with other integer types that specialize this template.
template <class T> struct integer_traits;

template <int W> struct integer_traits<ap_int<W>> {
    static const int width = W;
    static ap_int<W> highest() { return ~lowest(); }
    static ap_int<W> lowest() { return ap_int<W>(1) << (W - 1); }
};

template <int W> struct integer_traits<ap_uint<W>> {
    static const int width = W;
    static ap_uint<W> highest() { return ~ap_uint<W>(0); }
    static ap_uint<W> lowest() { return 0; }
};

// Clamps `value` to the range of res_T (AP_SAT). value_T must hold the limits of res_T for the comparison.
template <class res_T, class value_T> res_T saturate(value_T value) {
#pragma HLS INLINE
    if (value > integer_traits<res_T>::highest())
        return integer_traits<res_T>::highest();
    if (value < integer_traits<res_T>::lowest())
        return integer_traits<res_T>::lowest();
    return res_T(value);
}

// value / 2^shift, rounded half to even (AP_RND_CONV).
//
// value_T: signed, at least two bits wider than the largest shift, so that 1 << shift is positive
// shift:   not negative; 0 returns `value`
template <class value_T, class shift_T> value_T shift_right_half_even(value_T value, shift_T shift) {
#pragma HLS INLINE
    const value_T one = 1;
    // An arithmetic right shift rounds towards minus infinity; the rest is therefore never negative.
    const value_T floor = value >> shift;
    const value_T rest = value & ((one << shift) - one);
    const value_T tie = (one << shift) >> 1;
    const bool up = shift != 0 && (rest > tie || (rest == tie && (floor & one) != 0));
    return up ? value_T(floor + one) : floor;
}

// The QONNX operator Quant on integers: value / 2^shift, rounded half to even, then saturated to res_T. The order
// matters: a value just above the highest code may be rounded down to it.
template <class res_T, class value_T, class shift_T> res_T requantize(value_T value, shift_T shift) {
#pragma HLS INLINE
    return saturate<res_T>(shift_right_half_even(value, shift));
}

// The number mantissa * 2^exponent, with eight significant bits: mantissa is 128 to 255. Tables of functions over a
// wide range, such as the reciprocal, are indexed by the mantissa and shifted by the exponent.
struct significand {
    ap_uint<8> mantissa;
    ap_int<7> exponent;
};

// Rounds a positive integer to eight significant bits, half to even (the QONNX operator FloatQuant). Zero, which has no
// leading one, becomes (128, 0).
//
// value: not negative, of a type of at most 70 bits, so that the exponent fits
template <class value_T> significand to_significand(value_T value) {
#pragma HLS INLINE
    const int width = integer_traits<value_T>::width;
    significand result;
    result.mantissa = 128;
    result.exponent = 0;
    ap_uint<7> length = 0; // bits up to the leading one: a priority encoder
LEADING_ONE:
    for (int bit = 0; bit < width; bit++) {
#pragma HLS UNROLL
        if (value[bit])
            length = bit + 1;
    }
    if (length != 0 && length <= 8) {
        result.mantissa = ap_uint<8>(value) << (8 - length);
        result.exponent = ap_int<7>(length) - 8;
    } else if (length > 8) {
        const ap_uint<7> shift = length - 8;
        const ap_int<width + 3> rounded = shift_right_half_even(ap_int<width + 3>(value), shift);
        const bool overflow = rounded[8]; // 255.5 and more is rounded to 256, which is 128 * 2
        result.mantissa = overflow ? ap_uint<8>(128) : ap_uint<8>(rounded);
        result.exponent = ap_int<7>(shift) + (overflow ? 1 : 0);
    }
    return result;
}

} // namespace nnet

#endif
