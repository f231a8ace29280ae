#ifndef NATIVE_HLS_STREAM_H_
#define NATIVE_HLS_STREAM_H_

#include <cstdio>
#include <cstdlib>
#include <sstream> // hls4ml takes it from here
#include <string>
#include <vector>

namespace hls {

// A FIFO without a bound. Reading an empty one, which the stream of ap_types answers with a warning
// and an undefined word, and leaving words behind end the program.
template <class word_T> class stream {
  public:
    explicit stream(const std::string &name = "stream") : name_(name), first_(0) {}
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;
    ~stream() {
        if (!empty())
            fail("words are left in", name_.c_str());
    }

    void write(const word_T &word) { words_.push_back(word); }

    word_T read() {
        if (empty())
            fail("read of an empty FIFO:", name_.c_str());
        const word_T word = words_[first_++];
        if (empty()) {
            words_.clear();
            first_ = 0;
        }
        return word;
    }

    // No word can come while the process that asks for it runs: to ask again would be to ask for ever.
    bool read_nb(word_T &word) {
        word = read();
        return true;
    }

    bool empty() const { return first_ == words_.size(); }
    bool full() const { return false; }
    std::size_t size() const { return words_.size() - first_; }

  private:
    static void fail(const char *what, const char *name) {
        std::fprintf(stderr, "%s %s\n", what, name);
        std::exit(3);
    }

    const std::string name_;
    std::vector<word_T> words_;
    std::size_t first_;
};

} // namespace hls

#endif
