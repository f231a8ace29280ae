// The cycle of every word in a network of processes and FIFOs. engine.py is the Python side of the interface,
// simulation.py says why the result does not depend on the order of the computation.
//
// A process runs until it needs the cycle of a word, or of a freed slot, that is not computed yet. It then leaves
// its number and that of the word at the other end of the FIFO and is put aside; the process at that end puts it
// back on the list of runnable processes when it has moved that word. No clock ticks: the time that a simulation
// takes grows with the number of words, not with the number of cycles.

#include <algorithm>
#include <cstdint>
#include <vector>

namespace {

enum Kind : int64_t { MOVE, LOOP, END, WAIT, IMAGE };

// MOVE   waits `cycles`, then moves a word at each of the ports moves[first] to moves[first + count - 1] in one
//        cycle, and does both `times` times.
// LOOP   begins a body that is repeated `times` times.
// END    ends a body and jumps back to the instruction `first` until the repetitions are done.
// WAIT   waits `cycles`.
// IMAGE  ends the program of one image and jumps to its beginning.
struct Instruction {
    int64_t kind, cycles, first, count, times;
};

// `needed` of the writer's port of an unbounded FIFO.
constexpr int64_t NO_BOUND = INT64_MIN;
// The cycle that a word waits for when it waits for nothing; half the minimum, so that adding a delay cannot overflow.
const int64_t LONG_AGO = INT64_MIN / 2;

// One end of a FIFO as the process at the other end sees it.
struct End {
    int64_t count;   // words that moved so far
    int64_t wanted;  // number of the word that the other process waits for
    int64_t waiting; // number of that process; -1 for none
};

// An end of a FIFO as its own process sees it. The next word can move only `after` cycles after word number `needed`
// moved at the other end: a read needs its own word to be written, a write needs the read that frees its slot.
struct Port {
    int64_t needed;              // negative while the FIFO is not full for the first time: nothing to wait for
    int64_t after;               // latency of a read, reuse delay of a write
    int64_t *cycles;             // cycles of the words at this end, a ring where not all are recorded
    const int64_t *other_cycles; // the same at the other end
    int64_t mask;                // turns the number of a word into an index of `cycles`
    End *own, *other;
    int64_t stalls; // cycles that the process waited for this port
    bool writes;
};

// A port during a batch of words: the cycles that they wait for, from index `from` on, and their own, from index `to`
// on. It is a local copy, which the compiler can hold in registers because nothing else points to it.
struct Lane {
    const int64_t *awaited;
    int64_t from, from_mask, after;
    int64_t *cycles;
    int64_t to, to_mask, stalls;
};

struct Process {
    const Instruction *code;
    int64_t number;
    int64_t counter;     // index in `code` of the current instruction
    int64_t cycle;       // first cycle in which it can do something
    int64_t images_left;
    int64_t times_left; // repetitions of the current MOVE; 0 where it has not begun
    int64_t blocked;    // port that it waits at; -1 for none
    int64_t *ends;      // last cycle in which a word moved, by image
    std::vector<int64_t> loops; // repetitions left of the loops around the current instruction, innermost last
};

// Cycles that a process spends in each state, by bin of time.
class TimeByState {
  public:
    TimeByState(const int64_t *edges, int64_t bins, int64_t *cycles) : edges(edges), bins(bins), cycles(cycles) {}

    void work(int64_t from, int64_t to) { add(from, to, 0); }
    void wait(int64_t from, int64_t to, bool writes) { add(from, to, writes ? 2 : 1); }

  private:
    const int64_t *edges;
    int64_t bins;
    int64_t *cycles; // (bins, 3): busy, starved, backpressured
    int64_t bin = 0;

    // Calls come in ascending order of time, so `bin` only moves forward.
    void add(int64_t from, int64_t to, int state) {
        while (from < to && bin < bins) {
            const int64_t edge = edges[bin + 1] < to ? edges[bin + 1] : to;
            if (edge > from) {
                cycles[3 * bin + state] += edge - from;
                from = edge;
            }
            if (from >= edges[bin + 1])
                bin++;
        }
    }
};

class Network {
  public:
    std::vector<End> ends;
    std::vector<Port> ports;
    std::vector<Process> processes;
    std::vector<TimeByState> states; // by process; empty where nobody asked
    std::vector<Port *> moves;
    int64_t images;
    bool timed; // false to find only which processes are blocked for ever

    void run() {
        // Last in, first out: the process that was just enabled finds its words still in the processor's cache.
        for (int64_t number = processes.size() - 1; number >= 0; number--)
            runnable.push_back(number);
        while (!runnable.empty()) {
            Process &process = processes[runnable.back()];
            runnable.pop_back();
            advance(process);
        }
    }

  private:
    std::vector<int64_t> runnable;
    std::vector<Lane> lanes;

    // Runs a process until it has done all images or is blocked.
    void advance(Process &process) {
        process.blocked = -1;
        while (process.images_left) {
            const Instruction &at = process.code[process.counter];
            switch (at.kind) {
            case MOVE:
                if (!move(process, at))
                    return;
                process.counter++;
                break;
            case LOOP:
                process.loops.push_back(at.times);
                process.counter++;
                break;
            case END:
                if (--process.loops.back()) {
                    process.counter = at.first;
                } else {
                    process.loops.pop_back();
                    process.counter++;
                }
                break;
            case WAIT:
                process.cycle += at.cycles;
                process.counter++;
                break;
            default:
                process.images_left--;
                process.counter = 0;
            }
        }
    }

    // Moves words until all of `at` have moved; false where the process is blocked before.
    bool move(Process &process, const Instruction &at) {
        Port **const first = &moves[at.first], **const end = first + at.count;
        if (!process.times_left)
            process.times_left = at.times;
        while (process.times_left) {
            const int64_t batch = movable(process, first, end);
            if (!batch)
                return false;
            if (timed)
                time(process, at, batch);
            process.times_left -= batch;
            for (Port **each = first; each != end; each++)
                moved(**each, batch);
        }
        return true;
    }

    // Number of words that can move at all of the ports as far as is computed; where it is 0, the process is put aside.
    int64_t movable(Process &process, Port **first, Port **end) {
        int64_t batch = process.times_left;
        for (Port **each = first; each != end; each++) {
            Port &port = **each;
            if (port.needed == NO_BOUND)
                continue;
            const int64_t computed = port.other->count - port.needed;
            if (computed <= 0) {
                port.other->waiting = process.number;
                port.other->wanted = port.needed;
                process.blocked = &port - ports.data();
                return 0;
            }
            // Words that wait for nothing are a batch of their own, see time_words.
            batch = std::min(batch, port.needed < 0 ? -port.needed : computed);
        }
        return batch;
    }

    // Counts words at a port, and makes the process at the other end runnable if it waited for one of them.
    void moved(Port &port, int64_t batch) {
        if (port.needed != NO_BOUND)
            port.needed += batch;
        End &end = *port.own;
        end.count += batch;
        if (end.waiting >= 0 && end.count > end.wanted) {
            runnable.push_back(end.waiting);
            end.waiting = -1;
        }
    }

    // Chooses the code for the number of ports: with a constant number the compiler unrolls the loops over ports.
    void time(Process &process, const Instruction &at, int64_t batch) {
        if (!states.empty())
            return time_words<0, true>(process, at, batch);
        switch (at.count) {
        case 1:
            return time_words<1, false>(process, at, batch);
        case 2:
            return time_words<2, false>(process, at, batch);
        case 3:
            return time_words<3, false>(process, at, batch);
        default:
            return time_words<0, false>(process, at, batch);
        }
    }

    // Computes the cycles of the next `batch` words at each port.
    //
    // n_ports:     number of ports, or 0 where it is only known at run time
    // with_states: whether to account the time to states, word by word
    template <int n_ports, bool with_states> void time_words(Process &process, const Instruction &at, int64_t batch) {
        const int count = n_ports ? n_ports : at.count;
        Port **const here = &moves[at.first];
        Lane few[n_ports ? n_ports : 1], *const lane = n_ports ? few : room(count);
        for (int each = 0; each < count; each++) {
            const Port &port = *here[each];
            lane[each] = {port.other_cycles, port.needed, port.mask, port.after, port.cycles, port.own->count, port.mask, 0};
            if (port.needed < 0) {
                lane[each].awaited = &LONG_AGO;
                lane[each].from_mask = 0;
            }
        }
        int64_t cycle = process.cycle;
        for (int64_t word = 0; word < batch; word++) {
            const int64_t start = cycle + at.cycles;
            int64_t ready = start; // the first cycle that suits all ports
            int last = -1;         // the port that lets the words move last; -1 where none delays them
            for (int each = 0; each < count; each++) {
                const int64_t awaited = lane[each].awaited[(lane[each].from + word) & lane[each].from_mask];
                if (awaited + lane[each].after > ready) {
                    ready = awaited + lane[each].after;
                    last = each;
                }
            }
            for (int each = 0; each < count; each++) {
                lane[each].cycles[(lane[each].to + word) & lane[each].to_mask] = ready;
                lane[each].stalls += each == last ? ready - start : 0;
            }
            if (with_states) {
                account(process, start, ready, last < 0 ? nullptr : here[last]);
                process.ends[images - process.images_left] = ready;
            }
            cycle = ready + 1;
        }
        for (int each = 0; each < count; each++)
            here[each]->stalls += lane[each].stalls;
        process.cycle = cycle;
        process.ends[images - process.images_left] = cycle - 1;
    }

    // Lanes for any number of ports, allocated once.
    Lane *room(size_t count) {
        lanes.resize(std::max(lanes.size(), count));
        return lanes.data();
    }

    // Accounts the time from the word before to this one, which moves in cycle `ready`.
    void account(Process &process, int64_t start, int64_t ready, const Port *last) {
        TimeByState &own = states[process.number];
        // Waits before the first word of a process are left out.
        const int64_t image = images - process.images_left;
        const int64_t before = process.ends[image] >= 0 ? process.ends[image] : image ? process.ends[image - 1] : -1;
        if (before >= 0) {
            own.work(before + 1, start);
            if (last)
                own.wait(start, ready, last->writes);
        }
        own.work(ready, ready + 1);
    }
};

} // namespace

// Simulates a network. All arrays are int64 in C order; all indices count elements.
//
// Inputs:
// instructions  (., 5), of all processes one after another; those of process p begin at code_starts[p]
// ports         (., 2), number of a FIFO and whether it is written; those of process p begin at port_starts[p]
// moves         indices of ports, which the instructions refer to
// depths        (FIFOs), words that each holds, registers included; 0 for an unbounded FIFO
// latencies     (FIFOs), cycles from a word's write to the first cycle in which it can be read
// reuse_delays  (FIFOs), cycles from a word's read to the first cycle in which its slot takes another
// timed         0 to compute only `counts` and `blocked`; then no array of cycles is touched
// edges         (bins + 1), ascending cycles that bound the bins of time_by_state
//
// Results, in arrays of the caller:
// cycles        cycles of the words at end e (2 * FIFO where it is written, + 1 where it is read), from cycle_starts[e]
//               on: a ring of masks[e] + 1 words, a power of two of at least the depth, or all words where masks[e] is -1
// counts        (ends), words that moved
// stalls        (ports), cycles waited
// blocked       (processes), the port at which a process is blocked for ever; -1 where it completed
// image_ends    (processes, images), cycle of the last word of an image; -1 where it did not get there
// time_by_state (processes, bins, 3), cycles busy, starved and backpressured; not touched where there are no bins
//
// Returns the last cycle in which a word moved, -1 where none did.
extern "C" int64_t simulate_network(int64_t n_processes, int64_t n_fifos, int64_t images, int64_t timed,
                                    const int64_t *instructions, const int64_t *code_starts, const int64_t *ports,
                                    const int64_t *port_starts, int64_t n_moves, const int64_t *moves,
                                    const int64_t *depths, const int64_t *latencies,
                                    const int64_t *reuse_delays, int64_t *cycles, const int64_t *cycle_starts, const int64_t *masks,
                                    int64_t *counts, int64_t *stalls, int64_t *blocked, int64_t *image_ends,
                                    int64_t bins, const int64_t *edges, int64_t *time_by_state) {
    Network network;
    network.images = images;
    network.timed = timed;
    network.ends.assign(2 * n_fifos, {0, 0, -1});
    for (int64_t port = 0; port < port_starts[n_processes]; port++) {
        const int64_t fifo = ports[2 * port];
        const bool writes = ports[2 * port + 1];
        const int64_t own = 2 * fifo + !writes, other = 2 * fifo + writes;
        const int64_t needed = !writes ? 0 : depths[fifo] ? -depths[fifo] : NO_BOUND;
        const int64_t after = (writes ? reuse_delays : latencies)[fifo];
        int64_t *own_cycles = cycles + (timed ? cycle_starts[own] : 0);
        const int64_t *other_cycles = cycles + (timed ? cycle_starts[other] : 0);
        network.ports.push_back({needed, after, own_cycles, other_cycles, masks[own], &network.ends[own],
                                 &network.ends[other], 0, writes});
    }
    for (int64_t move = 0; move < n_moves; move++)
        network.moves.push_back(&network.ports[moves[move]]);
    for (int64_t number = 0; number < n_processes; number++) {
        const Instruction *code = reinterpret_cast<const Instruction *>(instructions) + code_starts[number];
        const int64_t ports_here = port_starts[number + 1] - port_starts[number];
        int64_t *ends = image_ends + number * images;
        for (int64_t image = 0; image < images; image++)
            ends[image] = -1;
        // A program without moves would loop for ever.
        const int64_t left = ports_here ? images : 0;
        network.processes.push_back({code, number, 0, 0, left, 0, -1, ends, {}});
        if (bins)
            network.states.emplace_back(edges, bins, time_by_state + number * bins * 3);
    }
    network.run();
    for (int64_t end = 0; end < 2 * n_fifos; end++)
        counts[end] = network.ends[end].count;
    for (int64_t port = 0; port < port_starts[n_processes]; port++)
        stalls[port] = network.ports[port].stalls;
    int64_t last = -1;
    for (Process &process : network.processes) {
        for (int64_t image = 0; image < images; image++)
            last = std::max(last, process.ends[image]);
        if (process.images_left)
            process.ends[images - process.images_left] = -1;
        blocked[process.number] = process.blocked;
    }
    return last;
}

// Largest number of words in a FIFO in any cycle, from the ascending cycles of all its writes and reads. A word read in
// a cycle still counts in that cycle.
extern "C" int64_t peak_occupancy(const int64_t *writes, int64_t n_writes, const int64_t *reads, int64_t n_reads) {
    int64_t read = 0, peak = 0;
    for (int64_t write = 0; write < n_writes; write++) {
        while (read < n_reads && reads[read] < writes[write])
            read++;
        if (write + 1 - read > peak)
            peak = write + 1 - read;
    }
    return peak;
}
