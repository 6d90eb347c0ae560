"""`python -m tajo.sandbox bigcommerce|brevo`: the simulators, as `tajo simulate` offers them."""

from tajo.sandbox.cli import simulate

simulate(prog_name="tajo simulate")
