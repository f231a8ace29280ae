#ifndef TESTBENCH_H_
#define TESTBENCH_H_

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "hls_stream.h"

// What the test benches of the kernels share: reading a vector file, comparing with a stream.
//
// A vector file holds integers between white space: the number of cases; the arrays of the kernel,
// in the order of its arguments; then for each case the words of every input stream and the words
// of the expected result.
//
// Any difference prints where it is and ends the program with status 1.

namespace testbench {

class vectors {
  public:
    vectors(int argc, char **argv) : file_(argc == 2 ? argv[1] : ""), case_(0) {
        if (!file_) {
            std::printf("usage: %s vectors.txt\n", argv[0]);
            std::exit(2);
        }
        n_cases_ = number();
        if (n_cases_ < 1)
            fail("no cases");
    }

    // True while there is a case to run; then call check_end().
    bool next_case() { return case_++ < n_cases_; }

    // An integer that must fit its hardware type.
    template <class T> void read_code(T &code) {
        const long long value = number();
        code = value;
        if ((long long)code != value) {
            std::printf("FAIL: the vector file has %lld for a type of %d bits\n", value, int(T::width));
            std::exit(2);
        }
    }

    template <class T, unsigned N> void read_array(T (&array)[N]) {
        for (unsigned i = 0; i < N; i++)
            read_code(array[i]);
    }

    // Fill an input stream, and add a guard word that the kernel must leave.
    template <class word_T> void send(hls::stream<word_T> &stream, unsigned n_words) {
        word_T word;
        for (unsigned token = 0; token < n_words; token++) {
            for (unsigned k = 0; k < word_T::size; k++)
                read_code(word[k]);
            stream.write(word);
        }
        stream.write(word);
    }

    // The kernel has read all of an input stream but the guard word.
    template <class word_T> void check_consumed(hls::stream<word_T> &stream, const char *name) {
        if (stream.empty())
            fail("the kernel reads too many words of", name);
        stream.read();
        if (!stream.empty())
            fail("the kernel leaves words in", name);
    }

    // The result stream holds exactly the expected words.
    template <class word_T> void check(hls::stream<word_T> &stream, unsigned n_words) {
        for (unsigned token = 0; token < n_words; token++) {
            if (stream.empty())
                fail("the kernel writes too few words of", "the result");
            const word_T word = stream.read();
            for (unsigned k = 0; k < word_T::size; k++)
                check_code(token, k, word[k]);
        }
        if (!stream.empty())
            fail("the kernel writes too many words of", "the result");
    }

    template <class T> void check_code(unsigned token, unsigned channel, T code) {
        const long long got = (long long)code;
        const long long expected = number();
        if (got != expected) {
            std::printf("FAIL: case %ld token %u channel %u: expected %lld, got %lld\n", case_ - 1, token, channel,
                        expected, got);
            std::exit(1);
        }
    }

    // The file ends here; the exit status of main().
    int check_end() {
        long long rest;
        if (file_ >> rest)
            fail("the vector file is longer than its cases");
        std::printf("PASS %ld cases\n", n_cases_);
        return 0;
    }

  private:
    long long number() {
        long long value;
        if (!(file_ >> value)) {
            std::printf("FAIL: the vector file ends in case %ld\n", case_ - 1);
            std::exit(2);
        }
        return value;
    }

    void fail(const char *what, const char *name = "") {
        std::printf("FAIL: case %ld: %s %s\n", case_ - 1, what, name);
        std::exit(1);
    }

    std::ifstream file_;
    long n_cases_;
    long case_;
};

} // namespace testbench

#endif
