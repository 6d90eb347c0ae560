"""The command that starts a simulator."""

import typer

from tajo.sandbox.bigcommerce.serve import bigcommerce
from tajo.sandbox.brevo.serve import brevo

simulate = typer.Typer(help="Stand-ins for both services, to try things out.", no_args_is_help=True)
simulate.command("bigcommerce")(bigcommerce)
simulate.command("brevo")(brevo)
