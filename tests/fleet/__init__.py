"""A whole fleet on this machine: real servers, real processes, reached by three URLs."""
