"""Lengths of FIFOs in a sweep: a number of words, or the name of a sizing."""

SMALLEST, LOSSLESS = "smallest", "lossless"
"""Each FIFO as short as it can be without deadlock, or without loss of throughput."""

Length = int | str
