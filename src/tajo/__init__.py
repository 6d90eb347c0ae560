"""Tajo keeps a BigCommerce store and a Brevo account in agreement.

`tajo.app` holds the verbs, `tajo.cli` offers them in a terminal, `tajo.sync` is the machine between
`tajo.bigcommerce` (where data comes from) and `tajo.brevo` (where it goes).
"""
