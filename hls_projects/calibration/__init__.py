"""Syntheses of the twins over a grid of sizes and foldings, and the cost model that is fitted to them."""
