"""The commands that start a simulator, or bring it to life."""

import typer

from tajo.sandbox.bigcommerce.serve import bigcommerce
from tajo.sandbox.brevo.serve import brevo
from tajo.sandbox.shoppers.command import shoppers

simulate = typer.Typer(help="Stand-ins for both services, to try things out.", no_args_is_help=True)
simulate.command("bigcommerce")(bigcommerce)
simulate.command("brevo")(brevo)
simulate.command("shoppers")(shoppers)
