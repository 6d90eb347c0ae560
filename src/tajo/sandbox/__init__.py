"""Simulated BigCommerce and simulated Brevo, written from the vendors' documents alone.

They share no code and no constant with the product, so that a misreading cannot be copied into its own
proof; the product talks to them over HTTP and does not know that they exist.
"""
