"""The generated HLS project: conversion by hls4ml, its network of processes and FIFOs, and a lint of kernels."""
