#ifndef LANES_H_
#define LANES_H_

// The folding of an operator decides how many elements work in parallel; no result depends on it. So a simulation that
// is compiled with VECTORIZED ignores the folding and runs the inner loops over everything that is contiguous: all
// tokens of a linear layer, all keys or channels of a head. Compilers vectorize such loops.
//
// lanes<CONFIG_T>::all is 1 in such a simulation. It is a template, though it does not depend on CONFIG_T, so that it
// can stand in the constant expressions of a kernel's configuration.

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
