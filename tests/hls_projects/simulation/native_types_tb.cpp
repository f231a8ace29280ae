// Expressions on integers of many widths, one a line, for test_native_types.py.
//
// The program is compiled twice, with the headers of ap_types and with native_types, and must print
// the same bytes. A line holds a name, operands and the result last; every number as s (signed) or
// u, its width, and its 128 bits in hex, so that python can compute it again.

#include "ap_fixed.h"
#include "ap_int.h"
#include "fixed_point.h"
#include "hls_stream.h"
#include "nnet_types.h"

#include <cstdint>
#include <cstdio>
#include <type_traits>

#ifdef NATIVE_AP_INT_H_
template <int W, bool S> using integer = native::integer<W, S>;
#else
template <int W, bool S> using integer = ap_int_base<W, S>;
#endif
template <int W, bool S> using number = std::conditional_t<S, ap_int<W>, ap_uint<W>>;

// Printing.

static void show(char sign, int width, std::uint64_t high, std::uint64_t low) {
    std::printf(" %c%d:%016llx%016llx", sign, width, (unsigned long long)high, (unsigned long long)low);
}
template <int W, bool S> void show(const integer<W, S> &x) {
    const std::uint64_t fill = x < integer<W, S>(0) ? ~0ull : 0;
    std::uint64_t high = fill;
    if constexpr (W > 64)
        high = std::uint64_t((unsigned long long)(x >> 64));
    show(S ? 's' : 'u', W, high, std::uint64_t((unsigned long long)x));
}
template <class T, std::enable_if_t<std::is_integral<T>::value, int> = 0> void show(T x) {
    const int width = std::is_same<T, bool>::value ? 1 : 8 * sizeof(T);
    show(std::is_signed<T>::value ? 's' : 'u', width, x < T(0) ? ~0ull : 0, std::uint64_t(x));
}
template <class... T> void line(const char *name, const T &...numbers) {
    std::printf("%s", name);
    (show(numbers), ...);
    std::printf("\n");
}

// Values: the ends of the type, those beside them and beside zero, powers of two, random bits.

static std::uint64_t state = 20260101;
static std::uint64_t draw() { // splitmix64
    std::uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}
template <class T> T from_words(std::uint64_t high, std::uint64_t low) {
    T result = T((unsigned long long)low);
    if constexpr (T::width > 64)
        result = T(T(T((unsigned long long)high) << 64) + result);
    return result;
}
template <class T> T any() {
    const int width = T::width;
    const T one = 1;
    switch (draw() % 16) {
    case 0:
        return T(0);
    case 1:
        return one;
    case 2:
        return T(-1);
    case 3:
        return nnet::integer_traits<T>::highest();
    case 4:
        return nnet::integer_traits<T>::lowest();
    case 5:
        return T(nnet::integer_traits<T>::highest() - 1);
    case 6:
        return T(nnet::integer_traits<T>::lowest() + 1);
    case 7:
        return T(one << (width - 1));
    case 8:
        return T(one << int(draw() % width));
    case 9:
        return T((one << int(draw() % width)) - 1);
    case 10:
    case 11:
        return from_words<T>(0, draw() >> draw() % 64);
    default:
        return from_words<T>(draw(), draw());
    }
}

// Comparisons of mixed sign, from 32 bits on, follow C in ap_types, where -1 > 0u; native_types refuses them.
template <class T> constexpr int width_of = 8 * sizeof(T);
template <> constexpr int width_of<bool> = 1;
template <int W> constexpr int width_of<ap_int<W>> = W;
template <int W> constexpr int width_of<ap_uint<W>> = W;
template <class T> constexpr bool is_signed = std::is_signed<T>::value;
template <int W> constexpr bool is_signed<ap_int<W>> = true;
template <class A, class B>
constexpr bool comparable =
    is_signed<A> == is_signed<B> || (width_of<A> < 32 && width_of<B> < 32) ||
    (is_signed<A> ? width_of<A> > width_of<B> : width_of<B> > width_of<A>);

// Expressions of one and of two operands.

template <class T> void unary(const T &a) {
    line("not", a, ~a);
    line("minus", a, -a);
    line("int", a, int(a));
    line("unsigned", a, unsigned(a));
    line("long", a, (long long)a);
    line("unequal", a, T(0), bool(a != T(0)));
    for (int place : {0, T::width / 2, T::width - 1})
        line("bit", a, place, bool(a[place]));
}

template <class T, class D> void shifted(const T &a, D by) {
    line("left", a, by, a << by);
    line("right", a, by, a >> by);
    T b = a;
    b <<= by;
    line("left", a, by, b);
    b = a;
    b >>= by;
    line("right", a, by, b);
}
template <class T> void shifts(const T &a) {
    const int width = T::width;
    for (int by : {0, 1, width / 2, width - 1, width, width + 1, 31, 32, 63, 64, 65, 127, 128, 1000}) {
        line("left", a, by, a << by);
        line("right", a, by, a >> by);
        line("left", a, -by, a << -by);
        line("right", a, -by, a >> -by);
        line("left", a, unsigned(by), a << unsigned(by));
        line("right", a, unsigned(by), a >> unsigned(by));
    }
    const int by = int(draw() % (width + 2));
    shifted(a, by);
    line("left", a, (unsigned char)by, a << (unsigned char)by);
    line("right", a, (long long)by, a >> (long long)by);
    line("left", a, true, a << true);
    shifted(a, ap_uint<7>(by));
    shifted(a, ap_int<8>(by));
    shifted(a, ap_int<8>(-by));
}

// The operators that two operands share with two native ones.
template <class A, class B> void binary(const A &a, const B &b) {
    line("add", a, b, a + b);
    line("subtract", a, b, a - b);
    line("multiply", a, b, a * b);
    line("and", a, b, a & b);
    line("or", a, b, a | b);
    if constexpr (comparable<A, B>) {
        line("equal", a, b, bool(a == b));
        line("unequal", a, b, bool(a != b));
        line("less", a, b, bool(a < b));
        line("greater", a, b, bool(a > b));
        line("at_most", a, b, bool(a <= b));
        line("at_least", a, b, bool(a >= b));
    }
}
template <class A, class B> void assigned(const A &a, const B &b) {
    A c = a;
    c += b;
    line("plus_is", a, b, c);
    c = a;
    c -= b;
    line("minus_is", a, b, c);
    c = a;
    c *= b;
    line("times_is", a, b, c);
    c = b;
    line("is", a, b, c);
    line("is", a, b, A(b));
}

// Sums that leave the type again and again and are not read in between, then seen in every way.
template <class T, class B> void chain(T a, B b, B c) {
    typedef number<(T::width < 64 ? T::width + 40 : 128), true> wide_t;
    T sum = a;
    for (int i = 0; i < 5; i++) {
        sum += b * c;
        sum -= c;
        sum = sum << 1;
    }
    T back = 0;
    back = sum >> 3;
    const wide_t wide = sum;
    line("chain", a, b, c, sum);
    line("chain_right", a, b, c, back);
    line("chain_right", a, b, c, sum >> 3);
    line("chain_wide", a, b, c, wide);
    if constexpr (comparable<T, B>) {
        line("chain_less", a, b, c, bool(sum < b));
        line("chain_equal", a, b, c, bool(sum == c));
    }
    line("chain_minus", a, b, c, -sum);
    line("chain_times", a, b, c, sum * c);
    line("chain_and", a, b, c, sum & wide_t(-1));
    line("chain_top", a, b, c, bool(sum[T::width - 1]));
    line("chain_long", a, b, c, (long long)sum);
    nnet::array<T, 3> word, copy;
    for (int i = 0; i < 3; i++)
        word[i] = sum + i;
    copy = word;
    const nnet::array<T, 3> other = copy;
    for (int i = 0; i < 3; i++)
        line("array", a, b, c, i, other[i]);
    line("chain_top", a, b, c, bool(other == word && other[0][T::width - 1]));
}

template <int W, bool S, int W2, bool S2> void pair(int count) {
    typedef number<W, S> A;
    typedef number<W2, S2> B;
    for (int i = 0; i < count; i++) {
        const A a = any<A>();
        const B b = any<B>();
        binary(a, b);
        assigned(a, b);
        line("left", a, b, a << b);
        line("right", a, b, a >> b);
        chain(a, b, any<B>());
    }
}

// Operands of the language itself.
template <class T, class N> void with_native(const T &a, N n) {
    binary(a, n);
    binary(n, a);
    assigned(a, n);
}
template <class T, class N> void from(N n) {
    T b = 0;
    b = n;
    line("is", T(0), n, b);
    line("is", T(0), n, T(n));
}
template <class T> void constructed() {
    const int whole = int(draw() >> draw() % 64);
    from<T>(bool(whole & 1));
    from<T>(char(whole));
    from<T>((unsigned char)whole);
    from<T>(short(whole));
    from<T>(whole);
    from<T>(unsigned(whole));
    from<T>((long long)draw());
    from<T>((unsigned long long)draw());
    for (double rest : {0.0, 0.5, 0.75})
        line("is", T(0), whole, T(whole < 0 ? whole - rest : whole + rest));
}
template <int W, bool S> void single(int count) {
    typedef number<W, S> T;
    line("highest", T(0), nnet::integer_traits<T>::highest());
    line("lowest", T(0), nnet::integer_traits<T>::lowest());
    for (int i = 0; i < count; i++) {
        const T a = any<T>();
        unary(a);
        shifts(a);
        constructed<T>();
    }
}

template <int W, bool S> void natives(int count) {
    for (int i = 0; i < count; i++) {
        const number<W, S> a = any<number<W, S>>();
        with_native(a, int(any<ap_int<32>>()));
        with_native(a, unsigned(any<ap_uint<32>>()));
        with_native(a, (unsigned char)draw());
        with_native(a, bool(draw() & 1));
        with_native(a, (long long)any<ap_int<63>>());
    }
}

// What kernels/fixed_point.h makes of them.

template <int W, class result_T> void rounding(int count) {
    for (int i = 0; i < count; i++) {
        const ap_int<W> value = any<ap_int<W>>();
        const ap_uint<6> shift = draw() % (W - 1);
        line("round", value, shift, nnet::shift_right_half_even(value, shift));
        line("requantize", value, shift, nnet::requantize<result_T>(value, shift));
    }
}
template <int W> void significands(int count) {
    for (int i = 0; i < count; i++) {
        const ap_uint<W> value = any<ap_uint<W>>();
        const nnet::significand found = nnet::to_significand(value);
        line("mantissa", value, found.mantissa);
        line("exponent", value, found.exponent);
    }
}

int main() {
    single<1, false>(10);
    single<1, true>(10);
    single<2, true>(10);
    single<3, false>(10);
    single<7, true>(10);
    single<8, false>(10);
    single<8, true>(10);
    single<9, false>(10);
    single<16, false>(10);
    single<16, true>(10);
    single<24, true>(10);
    single<31, false>(10);
    single<32, false>(10);
    single<32, true>(10);
    single<33, true>(10);
    single<48, true>(10);
    single<63, false>(10);
    single<64, false>(10);
    single<64, true>(10);
    single<65, true>(10);
    single<127, true>(10);
    natives<1, false>(20);
    natives<7, false>(20);
    natives<8, true>(20);
    natives<24, true>(20);
    natives<33, false>(20);
    natives<64, true>(20);
    pair<1, false, 1, true>(20);
    pair<2, true, 3, false>(20);
    pair<8, true, 8, false>(20);
    pair<8, false, 8, true>(20);
    pair<7, true, 12, true>(20);
    pair<16, false, 16, false>(20);
    pair<16, true, 8, true>(20);
    pair<24, true, 5, false>(20);
    pair<17, true, 33, false>(20);
    pair<31, true, 32, false>(20);
    pair<32, true, 32, true>(20);
    pair<40, false, 13, true>(20);
    pair<48, true, 8, true>(20);
    pair<63, true, 64, false>(20);
    pair<64, true, 64, true>(20);
    pair<64, false, 64, false>(20);
    pair<100, false, 27, true>(20);
    rounding<2, ap_int<1>>(40);
    rounding<10, ap_uint<8>>(100);
    rounding<24, ap_int<8>>(200);
    rounding<33, ap_uint<8>>(100);
    rounding<48, ap_int<24>>(200);
    rounding<64, ap_int<9>>(200);
    significands<3>(40);
    significands<9>(100);
    significands<24>(200);
    significands<40>(200);
    significands<61>(200);
    return 0;
}
