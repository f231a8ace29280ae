#ifndef NATIVE_AP_INT_H_
#define NATIVE_AP_INT_H_

// ap_int and ap_uint on native integers: the same widths, wrapping and results as ap_types, for a
// simulation that a compiler can vectorize. Put this folder before ap_types on the include path.
//
// An integer of W bits lies in the smallest native word that holds W bits. Sums, differences,
// products and left shifts modulo 2^W need no more of their operands than these modulo 2^W, so the
// bits of the word above W are left to carry whatever falls into them. They are put right (value())
// where they can be seen: by a comparison, a right shift, an index, or a wider type. An accumulator
// therefore wraps once, when it is read, and not at every addition; no proof about ranges is needed.
//
// Widths of results are those of ap_private.h (Xilinx HLS_arbitrary_Precision_Types). What kernels
// do not use, bit ranges and division among it, is not there and does not compile.

#include <cstdint>
#include <istream>
#include <ostream>
#include <type_traits>

namespace native {

template <int W>
using word_of = std::conditional_t<
    W <= 8, std::uint8_t,
    std::conditional_t<W <= 16, std::uint16_t,
                       std::conditional_t<W <= 32, std::uint32_t,
                                          std::conditional_t<W <= 64, std::uint64_t, unsigned __int128>>>>;

template <class word_T> struct signed_of : std::make_signed<word_T> {};
template <> struct signed_of<unsigned __int128> {
    typedef __int128 type;
};

template <class T> constexpr bool is_native = std::is_integral<T>::value;
template <class T> constexpr int width_of = std::is_same<T, bool>::value ? 1 : int(8 * sizeof(T));

constexpr int larger(int a, int b) { return a > b ? a : b; }
// Bits that hold both operands of a two-operand expression.
constexpr int common_width(int w1, bool s1, int w2, bool s2) { return larger(w1 + (s2 && !s1), w2 + (s1 && !s2)); }

template <int W, bool S> struct integer {
    static_assert(W >= 1 && W <= 128, "the native simulation holds integers of 1 to 128 bits");
    static const int width = W;
    typedef word_of<W> word;
    typedef std::conditional_t<S, typename signed_of<word>::type, word> value_type;
    // Words below 32 bits are promoted to int; arithmetic in a word of 32 or more is unsigned and wraps.
    typedef std::conditional_t<(W < 32), std::uint32_t, word> wide;
    static const int unused = int(8 * sizeof(word)) - W;

    word bits;

    integer() = default;
    template <class T, std::enable_if_t<std::is_arithmetic<T>::value, int> = 0>
    constexpr integer(T from) : bits(reduce(from)) {}
    template <int W2, bool S2> constexpr integer(const integer<W2, S2> &from) : bits(word(from.template residue<W>())) {}

    static constexpr integer of(word residue) {
        integer result{};
        result.bits = residue;
        return result;
    }

    // The number itself, sign or zero extended. Vectors of bytes have no shifts, so what can be masked is.
    constexpr value_type value() const {
        if constexpr (S)
            return value_type(value_type(word(bits << unused)) >> unused);
        else
            return value_type(bits & (word(-1) >> unused));
    }
    constexpr operator value_type() const { return value(); }

    // A word that equals the number modulo 2^N.
    template <int N> constexpr word_of<larger(N, W)> residue() const {
        if constexpr (N <= W)
            return bits;
        else
            return word_of<N>(value());
    }

    constexpr bool operator[](int place) const { return (bits >> place) & 1; }

    template <class T> constexpr integer &operator+=(T other) { return *this = of(wide(bits) + term(other)); }
    template <class T> constexpr integer &operator-=(T other) { return *this = of(wide(bits) - term(other)); }
    template <class T> constexpr integer &operator*=(T other) { return *this = of(wide(bits) * term(other)); }
    template <class T> constexpr integer &operator<<=(T by) { return *this = *this << by; }
    template <class T> constexpr integer &operator>>=(T by) { return *this = *this >> by; }

    constexpr integer operator~() const { return of(~wide(bits)); }
    constexpr auto operator-() const {
        typedef integer<common_width(W, S, 1, false) + 1, true> result;
        return result::of(typename result::wide(0) - typename result::wide(residue<result::width>()));
    }

  private:
    template <class T> static constexpr word reduce(T from) {
        if constexpr (std::is_floating_point<T>::value)
            return word(static_cast<long long>(from));
        else
            return word(from);
    }
    template <int W2, bool S2> static constexpr wide term(const integer<W2, S2> &other) {
        return wide(other.template residue<W>());
    }
    template <class T, std::enable_if_t<is_native<T>, int> = 0> static constexpr wide term(T other) {
        return wide(other);
    }
};

// Operands of an expression: a native integer is an integer of its own width.
template <int W, bool S> constexpr integer<W, S> operand(const integer<W, S> &x) { return x; }
template <class T, std::enable_if_t<is_native<T>, int> = 0>
constexpr integer<width_of<T>, std::is_signed<T>::value> operand(T x) {
    return x;
}

template <class T> struct is_integer : std::false_type {};
template <int W, bool S> struct is_integer<integer<W, S>> : std::true_type {};

// At least one operand is ours and the other one is ours or native. Operators take them by value: a
// reference to a constant of a kernel's configuration would need a definition of it.
template <class A, class B>
using expression = std::enable_if_t<(is_integer<A>::value && (is_integer<B>::value || is_native<B>)) ||
                                        (is_native<A> && is_integer<B>::value),
                                    int>;

template <int W, bool S, int W2, bool S2> constexpr auto add(integer<W, S> a, integer<W2, S2> b) {
    typedef integer<common_width(W, S, W2, S2) + 1, S || S2> result;
    typedef typename result::wide wide;
    return result::of(wide(a.template residue<result::width>()) + wide(b.template residue<result::width>()));
}
template <int W, bool S, int W2, bool S2> constexpr auto subtract(integer<W, S> a, integer<W2, S2> b) {
    typedef integer<common_width(W, S, W2, S2) + 1, true> result;
    typedef typename result::wide wide;
    return result::of(wide(a.template residue<result::width>()) - wide(b.template residue<result::width>()));
}
template <int W, bool S, int W2, bool S2> constexpr auto multiply(integer<W, S> a, integer<W2, S2> b) {
    typedef integer<W + W2, S || S2> result;
    typedef typename result::wide wide;
    return result::of(wide(a.template residue<result::width>()) * wide(b.template residue<result::width>()));
}
template <int W, bool S, int W2, bool S2> constexpr auto both(integer<W, S> a, integer<W2, S2> b) {
    typedef integer<common_width(W, S, W2, S2), S || S2> result;
    return result::of(result(a).bits & result(b).bits);
}
template <int W, bool S, int W2, bool S2> constexpr auto either(integer<W, S> a, integer<W2, S2> b) {
    typedef integer<common_width(W, S, W2, S2), S || S2> result;
    return result::of(result(a).bits | result(b).bits);
}
// From 32 bits on ap_types compares as C does, where -1 > 0u; who writes that may not mean it.
constexpr bool comparable(int w1, bool s1, int w2, bool s2) {
    return s1 == s2 || larger(w1, w2) < 32 || (s1 ? w1 > w2 : w2 > w1);
}
template <int W, bool S, int W2, bool S2> constexpr bool equal(integer<W, S> a, integer<W2, S2> b) {
    static_assert(comparable(W, S, W2, S2), "ap_types drops the sign in this comparison; widen the signed operand");
    typedef integer<common_width(W, S, W2, S2), S || S2> common;
    return common(a).value() == common(b).value();
}
template <int W, bool S, int W2, bool S2> constexpr bool less(integer<W, S> a, integer<W2, S2> b) {
    static_assert(comparable(W, S, W2, S2), "ap_types drops the sign in this comparison; widen the signed operand");
    typedef integer<common_width(W, S, W2, S2), S || S2> common;
    return common(a).value() < common(b).value();
}

// A negative distance shifts the other way, one of W or more leaves zero or the sign, as in ap_types.
template <int W, bool S> constexpr integer<W, S> left(integer<W, S> x, unsigned by) {
    typedef integer<W, S> result;
    return by < unsigned(W) ? result::of(typename result::wide(x.bits) << by) : result::of(0);
}
template <int W, bool S> constexpr integer<W, S> right(integer<W, S> x, unsigned by) {
    return integer<W, S>::of(by < unsigned(W) ? x.value() >> by : x.value() < 0 ? -1 : 0);
}
template <int W, bool S, class T> constexpr integer<W, S> shift(integer<W, S> x, T by, bool to_left) {
    const auto distance = operand(by).value();
    if constexpr (std::is_signed<decltype(distance)>::value)
        if (distance < 0)
            return to_left ? right(x, 0u - unsigned(distance)) : left(x, 0u - unsigned(distance));
    return to_left ? left(x, unsigned(distance)) : right(x, unsigned(distance));
}

template <class A, class B, expression<A, B> = 0> constexpr auto operator+(A a, B b) {
    return add(operand(a), operand(b));
}
template <class A, class B, expression<A, B> = 0> constexpr auto operator-(A a, B b) {
    return subtract(operand(a), operand(b));
}
template <class A, class B, expression<A, B> = 0> constexpr auto operator*(A a, B b) {
    return multiply(operand(a), operand(b));
}
template <class A, class B, expression<A, B> = 0> constexpr auto operator&(A a, B b) {
    return both(operand(a), operand(b));
}
template <class A, class B, expression<A, B> = 0> constexpr auto operator|(A a, B b) {
    return either(operand(a), operand(b));
}
// Without these the operands would turn into native integers, and the result would have their width.
template <class A, class B, expression<A, B> = 0> void operator/(A, B) = delete;
template <class A, class B, expression<A, B> = 0> void operator%(A, B) = delete;
template <class A, class B, expression<A, B> = 0> void operator^(A, B) = delete;
template <class A, class B, expression<A, B> = 0> constexpr bool operator==(A a, B b) {
    return equal(operand(a), operand(b));
}
template <class A, class B, expression<A, B> = 0> constexpr bool operator!=(A a, B b) {
    return !equal(operand(a), operand(b));
}
template <class A, class B, expression<A, B> = 0> constexpr bool operator<(A a, B b) {
    return less(operand(a), operand(b));
}
template <class A, class B, expression<A, B> = 0> constexpr bool operator>(A a, B b) {
    return less(operand(b), operand(a));
}
template <class A, class B, expression<A, B> = 0> constexpr bool operator<=(A a, B b) {
    return !less(operand(b), operand(a));
}
template <class A, class B, expression<A, B> = 0> constexpr bool operator>=(A a, B b) {
    return !less(operand(a), operand(b));
}
template <int W, bool S, class T> constexpr integer<W, S> operator<<(integer<W, S> x, T by) {
    return shift(x, by, true);
}
template <int W, bool S, class T> constexpr integer<W, S> operator>>(integer<W, S> x, T by) {
    return shift(x, by, false);
}
template <int W, bool S> std::ostream &operator<<(std::ostream &out, const integer<W, S> &x) {
    return out << (long long)x.value();
}

template <int W, bool S> std::istream &operator>>(std::istream &in, integer<W, S> &x) {
    long long number = 0;
    in >> number;
    x = number;
    return in;
}

} // namespace native

template <int W> using ap_int = native::integer<W, true>;
template <int W> using ap_uint = native::integer<W, false>;

#endif
