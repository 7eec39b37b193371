"""The vocabulary of the house: plain typed data, no I/O, no framework.

Lean processes import single modules from here, so this package imports none of them.
"""
