#ifndef NATIVE_HLS_STREAM_H_
#define NATIVE_HLS_STREAM_H_

#include <cstdio>
#include <cstdlib>
#include <sstream> // hls4ml takes it from here
#include <string>
#include <vector>

namespace hls {

// Stand-in for hls::stream of ap_types: an unbounded FIFO. Reading an empty one, which in ap_types gives a warning and
// an undefined word, or leaving words behind is an error of the kernels and ends the program with 3.
template <class word_T> class stream {
  public:
    explicit stream(const std::string &name = "stream") : name_(name), words_(first_room), first_(0), last_(0) {}
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;
    ~stream() {
        if (!empty())
            fail("words are left in", name_.c_str());
    }

    void write(const word_T &word) {
        if (last_ == words_.size())
            make_room();
        words_[last_++] = word;
    }

    word_T read() {
        if (empty())
            fail("read of an empty FIFO:", name_.c_str());
        return words_[first_++];
    }

    // Processes are called one after another, so a word that is not there now never comes. The read fails instead of
    // returning false, upon which the process would ask again for ever.
    bool read_nb(word_T &word) {
        word = read();
        return true;
    }

    bool empty() const { return first_ == last_; }
    bool full() const { return false; }
    std::size_t size() const { return last_ - first_; }

  private:
    // Words to allocate at first: 8 KiB, with which most streams never grow.
    static const std::size_t first_room = sizeof(word_T) < 4096 ? 8192 / sizeof(word_T) : 2;

    // Not inlined, so that write() stays small enough to be inlined itself.
    [[gnu::noinline]] void make_room() {
        if (empty())
            first_ = last_ = 0;
        else
            words_.resize(2 * words_.size());
    }

    [[noreturn]] static void fail(const char *what, const char *name) {
        std::fprintf(stderr, "%s %s\n", what, name);
        std::exit(3);
    }

    const std::string name_;
    std::vector<word_T> words_;
    std::size_t first_, last_; // indices of the oldest word and behind the newest one
};

} // namespace hls

#endif
