#ifndef NATIVE_AP_INT_H_
#define NATIVE_AP_INT_H_

// ap_int and ap_uint on native integers: the same widths, wrapping and results as ap_types, in a form that compilers
// vectorize. This folder must come before ap_types on the include path.
//
// An integer of W bits is stored in the smallest native word of at least W bits. Sums, differences, products and left
// shifts modulo 2^W depend on their operands modulo 2^W only, so the bits of the word above bit W - 1 may hold garbage.
// They are sign or zero extended (value()) only where they matter: in a comparison, a right shift, an index, or a
// conversion to a wider type. So an accumulator wraps once, when it is read, and not at every addition, and the result
// is right for any range of values.
//
// The widths of results are those of ap_private.h (Xilinx HLS_arbitrary_Precision_Types). What the kernels do not use,
// such as bit ranges and division, is left out and does not compile.

#include <cstdint>
#include <istream>
#include <ostream>
#include <type_traits>

namespace native {

// The smallest unsigned native integer of at least W bits, and the signed one of the same size.
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

// Native integers, and their widths; a bool has one bit.
template <class T> constexpr bool is_native = std::is_integral<T>::value;
template <class T> constexpr int width_of = std::is_same<T, bool>::value ? 1 : int(8 * sizeof(T));

constexpr int larger(int a, int b) { return a > b ? a : b; }
// Bits that hold both operands of an expression; an unsigned operand beside a signed one needs one more.
constexpr int common_width(int w1, bool s1, int w2, bool s2) { return larger(w1 + (s2 && !s1), w2 + (s1 && !s2)); }

// An integer of W bits, signed where S.
template <int W, bool S> struct integer {
    static_assert(W >= 1 && W <= 128, "the native simulation holds integers of 1 to 128 bits");
    static const int width = W;
    typedef word_of<W> word;
    typedef std::conditional_t<S, typename signed_of<word>::type, word> value_type;
    // The type to compute in. C++ promotes smaller words to int, whose overflow is undefined; unsigned words wrap.
    typedef std::conditional_t<(W < 32), std::uint32_t, word> wide;
    // Bits of the word above the integer.
    static const int unused = int(8 * sizeof(word)) - W;

    word bits;

    integer() = default;
    template <class T, std::enable_if_t<std::is_arithmetic<T>::value, int> = 0>
    constexpr integer(T from) : bits(reduce(from)) {}
    template <int W2, bool S2> constexpr integer(const integer<W2, S2> &from) : bits(word(from.template residue<W>())) {}

    // From a word that equals the number modulo 2^W.
    static constexpr integer of(word residue) {
        integer result{};
        result.bits = residue;
        return result;
    }

    // The number itself, sign or zero extended. Unsigned numbers are masked instead of shifted, because x86 has no
    // shifts of vectors of bytes.
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

    constexpr bool operator[](int bit) const { return (bits >> bit) & 1; }

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
    // Floating point converts through a signed integer: to convert a negative number to an unsigned one is undefined.
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

// Enables an operator where at least one operand is an `integer` and the other one too or native. Operators take
// operands by value: a reference to a constant of a kernel's configuration would need a definition of the constant.
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
// From 32 bits on ap_types compares signed and unsigned numbers as C does, where -1 > 0u. Such a comparison in a kernel
// is most likely a mistake, so it does not compile here.
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

// Shifts by a negative distance go the other way, and shifts by W or more leave 0 or the sign, as in ap_types.
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
// Deleted, because otherwise the operands would convert to native integers and the result would have their width.
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
