#ifndef LANES_H_
#define LANES_H_

// How much of an operator works in parallel is for its folding to say, and no result depends on it. A simulation that
// is compiled with VECTORIZED takes all that lies side by side at once, whatever the folding: all tokens of a linear
// layer, all keys or channels of a head. Compilers make vectors of such loops.

namespace nnet {

template <typename CONFIG_T> struct lanes {
#ifdef VECTORIZED
    static const unsigned all = 1;
#else
    static const unsigned all = 0;
#endif
};

} // namespace nnet

#endif
