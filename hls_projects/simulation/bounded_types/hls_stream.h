#ifndef BOUNDED_HLS_STREAM_H_
#define BOUNDED_HLS_STREAM_H_

// FIFOs with bounds, between processes that are threads: what the STREAM pragmas say, in C++.
//
// The file named by the environment variable FIFO_DEPTHS has a line "name depth" for every FIFO that
// has a bound. PIPELINE_PROCESS hands every kernel call of the top level to start(); the first stream
// of the top level that goes out of scope runs them all. When every process that is left waits for a
// FIFO, nothing can move any more: the program says who waits where and exits with 5.

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <sstream> // hls4ml takes it from here
#include <string>
#include <thread>
#include <vector>

namespace hls {

struct processes {
    std::vector<std::function<void()>> calls;
    std::mutex mutex;
    std::condition_variable moved;
    unsigned running = 0, waiting = 0;
    unsigned long moves = 0;
    std::map<std::string, const char *> blocked;

    static processes &all() {
        static processes instance;
        return instance;
    }

    void run() {
        std::vector<std::function<void()>> started;
        started.swap(calls);
        running = started.size();
        waiting = 0;
        std::vector<std::thread> threads;
        for (auto &call : started)
            threads.emplace_back([this, &call] {
                call();
                std::lock_guard<std::mutex> lock(mutex);
                running--;
                check();
            });
        for (auto &thread : threads)
            thread.join();
    }

    // A word went in or out: everyone who waits looks again.
    void move() {
        moves++;
        waiting = 0;
        blocked.clear();
        moved.notify_all();
    }

    template <class ready_T>
    void wait(std::unique_lock<std::mutex> &lock, const std::string &name, const char *cause, ready_T ready) {
        while (!ready()) {
            blocked[name] = cause;
            waiting++;
            check();
            const unsigned long seen = moves;
            moved.wait(lock, [this, seen] { return moves != seen; });
        }
    }

    void check() {
        if (!running || waiting < running)
            return;
        std::fprintf(stderr, "deadlock:");
        for (const auto &entry : blocked)
            std::fprintf(stderr, " %s %s", entry.first.c_str(), entry.second);
        std::fprintf(stderr, "\n");
        std::_Exit(5);
    }
};

template <class call_T> void start(call_T call) { processes::all().calls.push_back(call); }

inline std::size_t depth_of(const std::string &name) {
    static std::map<std::string, std::size_t> depths;
    if (depths.empty()) {
        const char *path = std::getenv("FIFO_DEPTHS");
        std::ifstream file(path ? path : "");
        std::string key;
        std::size_t depth;
        while (file >> key >> depth)
            depths[key] = depth;
    }
    const auto found = depths.find(name);
    return found == depths.end() ? std::size_t(-1) : found->second;
}

template <class word_T> class stream {
  public:
    explicit stream(const std::string &name = "stream") : name_(name), depth_(depth_of(name)) {}
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;
    ~stream() { processes::all().run(); }

    void write(const word_T &word) {
        std::unique_lock<std::mutex> lock(processes::all().mutex);
        processes::all().wait(lock, name_, "full", [this] { return words_.size() < depth_; });
        words_.push_back(word);
        processes::all().move();
    }

    word_T read() {
        std::unique_lock<std::mutex> lock(processes::all().mutex);
        processes::all().wait(lock, name_, "empty", [this] { return !words_.empty(); });
        const word_T word = words_.front();
        words_.pop_front();
        processes::all().move();
        return word;
    }

    bool empty() const { return words_.empty(); }
    std::size_t size() const { return words_.size(); }

  private:
    const std::string name_;
    const std::size_t depth_;
    std::deque<word_T> words_;
};

} // namespace hls

#endif
