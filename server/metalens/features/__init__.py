"""Presenters: pure functions from a Result, and a place in it, to plain values. No protocol, no clock, no files."""
