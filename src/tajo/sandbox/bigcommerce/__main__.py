"""`python -m tajo.sandbox.bigcommerce`: see `--help`."""

import typer

from .serve import bigcommerce

typer.run(bigcommerce)
