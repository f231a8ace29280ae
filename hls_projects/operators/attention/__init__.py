"""Attention's two products, which share a kernel header and a Verilog core: scores, and weighted values."""

from hls_projects.operators.attention.scores import AttentionScores
from hls_projects.operators.attention.values import AttentionValues

__all__ = ["AttentionScores", "AttentionValues"]
