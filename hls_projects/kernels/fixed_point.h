#ifndef FIXED_POINT_H_
#define FIXED_POINT_H_

#include "ap_int.h"

// A call of a kernel in the generated top level: a process of its dataflow region.
#ifndef PIPELINE_PROCESS
#define PIPELINE_PROCESS(...) __VA_ARGS__
#endif

namespace nnet {

// Width and limits of an integer type. Kernels never name ap_int themselves, so that they can be
// compiled with other integer types that specialise this.
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

// Clamp to the codes of res_T (AP_SAT).
template <class res_T, class value_T> res_T saturate(value_T value) {
#pragma HLS INLINE
    if (value > integer_traits<res_T>::highest())
        return integer_traits<res_T>::highest();
    if (value < integer_traits<res_T>::lowest())
        return integer_traits<res_T>::lowest();
    return res_T(value);
}

// value / 2^shift, rounded half to even (AP_RND_CONV). value_T is at least two bits wider than
// the largest shift.
template <class value_T, class shift_T> value_T shift_right_half_even(value_T value, shift_T shift) {
#pragma HLS INLINE
    const value_T one = 1;
    const value_T floor = value >> shift;
    const value_T rest = value & ((one << shift) - one);
    const value_T tie = (one << shift) >> 1;
    const bool up = shift != 0 && (rest > tie || (rest == tie && (floor & one) != 0));
    return up ? value_T(floor + one) : floor;
}

// QONNX Quant on integers: round value / 2^shift half to even, then saturate to res_T.
template <class res_T, class value_T, class shift_T> res_T requantize(value_T value, shift_T shift) {
#pragma HLS INLINE
    return saturate<res_T>(shift_right_half_even(value, shift));
}

// mantissa * 2^exponent: a positive integer rounded to eight significant bits, half to even.
// mantissa is 128 to 255; zero becomes (128, 0).
struct significand {
    ap_uint<8> mantissa;
    ap_int<7> exponent;
};

template <class value_T> significand to_significand(value_T value) {
#pragma HLS INLINE
    const int width = integer_traits<value_T>::width;
    significand result;
    result.mantissa = 128;
    result.exponent = 0;
    ap_uint<7> length = 0;
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
        const bool overflow = rounded[8];
        result.mantissa = overflow ? ap_uint<8>(128) : ap_uint<8>(rounded);
        result.exponent = ap_int<7>(shift) + (overflow ? 1 : 0);
    }
    return result;
}

} // namespace nnet

#endif
