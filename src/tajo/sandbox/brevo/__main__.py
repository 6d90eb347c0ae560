"""`python -m tajo.sandbox.brevo`."""

import typer

from .serve import brevo

typer.run(brevo)
