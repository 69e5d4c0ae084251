"""Sweeps that are stored away from the machines that run them: an object store, and a mirror on each machine.

The ledger, the worker and the report know directories only. Here is what carries a sweep's directory to and
from its store, in an order that lets no reader take a part for the whole.
"""
