"""The machine: look at a thing in the store, compare it with what was last told, tell the difference.

It knows no vendor. `model` holds the nouns, `ports` the two doors, `mapping` the paths of a
customer, `ledger` the memory, `connector` the one path that every change takes.
"""
