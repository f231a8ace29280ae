#ifndef BOUNDED_HLS_STREAM_H_
#define BOUNDED_HLS_STREAM_H_

// FIFOs with bounds, between processes that are threads: what the STREAM pragmas say, in C++.
//
// The file named by the environment variable FIFO_DEPTHS has a line "name depth" for every FIFO that
// has a bound. PIPELINE_PROCESS hands every call of a dataflow region to start(): the kernels of the top
// level, and within a kernel its stages. The first stream of the region that goes out of scope runs them
// all. When every process that is left waits for a FIFO or a block, nothing can move any more: the
// program says what is waited for and exits with 5.
//
// A pipelined loop moves the words of an iteration in one cycle: each end of a FIFO once, and reads before
// writes. So what a process has read keeps its slot, and what it has written is not seen, until the process
// goes on to the next cycle.

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

class slots;

// A word of the current clock.
struct move {
    slots *fifo;
    bool writes;
};

// What a thread has to itself.
struct region {
    std::vector<std::function<void()>> calls; // of the dataflow region that it is in
    std::vector<move> moved;
    bool is_process = false;

    static region &own() {
        static thread_local region instance;
        return instance;
    }
};

struct processes {
    std::mutex mutex;
    unsigned running = 0, waiting = 0;
    std::map<const slots *, std::string> blocked;

    static processes &all() {
        static processes instance;
        return instance;
    }

    // Run the calls of the thread's region. A process that has stages waits here for their ends, and
    // counts neither as running nor as waiting; the last of them hands its place back to it.
    void run() {
        std::vector<std::function<void()>> started;
        started.swap(region::own().calls);
        if (started.empty())
            return;
        const bool nested = region::own().is_process;
        std::size_t left = started.size();
        {
            std::lock_guard<std::mutex> lock(mutex);
            running += left - nested;
        }
        std::vector<std::thread> threads;
        for (auto &call : started)
            threads.emplace_back([&, this] {
                region::own().is_process = true;
                call();
                end_clock();
                std::lock_guard<std::mutex> lock(mutex);
                left--;
                if (left || !nested)
                    running--;
                check();
            });
        for (auto &thread : threads)
            thread.join();
    }

    void check() const {
        if (!waiting || waiting < running)
            return;
        std::fprintf(stderr, "deadlock:");
        for (const auto &entry : blocked)
            std::fprintf(stderr, " %s", entry.second.c_str());
        std::fprintf(stderr, "\n");
        std::_Exit(5);
    }

    inline void end_clock();
};

template <class call_T> void start(call_T call) { region::own().calls.push_back(call); }

// Calls of each process that is free running: it does not wait for the others between two of them.
inline unsigned &calls() {
    static unsigned count = 1;
    return count;
}

template <class call_T> void start_free(call_T call) {
    start([call] {
        for (unsigned n = 0; n < calls(); n++) {
            call();
            processes::all().end_clock();
        }
    });
}

// Slots between one process that fills them and one that empties them.
class slots {
  public:
    slots(const std::string &name, std::size_t depth) : name_(name), depth_(depth) {}
    slots(const slots &) = delete;
    slots &operator=(const slots &) = delete;

    void claim(std::unique_lock<std::mutex> &lock) {
        wait(lock, writer_, "full", [this] { return used_ < depth_; });
        used_++;
    }
    void await_room(std::unique_lock<std::mutex> &lock) {
        wait(lock, writer_, "full", [this] { return used_ < depth_; });
    }
    void take(std::unique_lock<std::mutex> &lock) {
        wait(lock, reader_, "empty", [this] { return full_ > 0; });
        full_--;
    }
    // With the mutex held.
    void fill() {
        full_++;
        wake(reader_);
    }
    void free() {
        used_--;
        wake(writer_);
    }

    std::size_t full() const { return full_; }
    bool has_room() const { return used_ < depth_; }

  private:
    // A process at its end of the slots.
    struct user {
        std::condition_variable moved;
        bool asleep = false;
    };

    template <class ready_T>
    void wait(std::unique_lock<std::mutex> &lock, user &self, const char *cause, ready_T ready) {
        processes &all = processes::all();
        while (!ready()) {
            all.blocked[this] = name_ + " " + cause;
            all.waiting++;
            self.asleep = true;
            all.check();
            self.moved.wait(lock, [&self] { return !self.asleep; });
        }
    }

    void wake(user &other) {
        if (!other.asleep)
            return;
        other.asleep = false;
        processes::all().waiting--;
        processes::all().blocked.erase(this);
        other.moved.notify_one();
    }

    const std::string name_;
    const std::size_t depth_;
    std::size_t used_ = 0, full_ = 0;
    user writer_, reader_;
};

// The thread's process goes on to its next cycle.
void processes::end_clock() {
    std::lock_guard<std::mutex> lock(mutex);
    for (const move &each : region::own().moved)
        each.writes ? each.fifo->fill() : each.fifo->free();
    region::own().moved.clear();
}

// The thread's process is about to move a word.
inline void begin_move(slots &fifo, bool writes) {
    bool next = false;
    for (const move &each : region::own().moved)
        next = next || (each.fifo == &fifo && each.writes == writes) || (each.writes && !writes);
    if (next)
        processes::all().end_clock();
    region::own().moved.push_back({&fifo, writes});
}

inline std::size_t depth_of(const std::string &name) {
    static const std::map<std::string, std::size_t> depths = [] {
        std::map<std::string, std::size_t> read;
        const char *path = std::getenv("FIFO_DEPTHS");
        std::ifstream file(path ? path : "");
        std::string key;
        std::size_t depth;
        while (file >> key >> depth)
            read[key] = depth;
        return read;
    }();
    const auto found = depths.find(name);
    return found == depths.end() ? std::size_t(-1) : found->second;
}

template <class word_T> class stream {
  public:
    explicit stream(const std::string &name = "stream") : slots_(name, depth_of(name)) {}
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;
    ~stream() {
        processes::all().end_clock();
        processes::all().run();
    }

    void write(const word_T &word) {
        begin_move(slots_, true);
        std::unique_lock<std::mutex> lock(processes::all().mutex);
        slots_.claim(lock);
        words_.push_back(word);
    }

    word_T read() {
        begin_move(slots_, false);
        std::unique_lock<std::mutex> lock(processes::all().mutex);
        slots_.take(lock);
        const word_T word = words_.front();
        words_.pop_front();
        return word;
    }

    // A process that asks and does not wait would never be seen to stand still. So the answer to the first question
    // is no, and the second one in a row waits: how long a wait was is not known here, that there was one is.
    bool read_nb(word_T &word) {
        processes::all().end_clock();
        if (ask(asked_word_, [this] { return slots_.full() > 0; }))
            return false;
        word = read();
        return true;
    }
    bool full() {
        processes::all().end_clock();
        if (ask(asked_room_, [this] { return slots_.has_room(); }))
            return true;
        std::unique_lock<std::mutex> lock(processes::all().mutex);
        slots_.await_room(lock);
        return false;
    }

    bool empty() const { return size() == 0; }
    std::size_t size() const { return slots_.full(); }

  private:
    // True where the answer is no and nobody was told so.
    template <class ready_T> static bool ask(bool &told, ready_T ready) {
        std::lock_guard<std::mutex> lock(processes::all().mutex);
        told = !told && !ready();
        return told;
    }

    bool asked_word_ = false, asked_room_ = false;
    slots slots_;
    std::deque<word_T> words_;
};

} // namespace hls

#endif
