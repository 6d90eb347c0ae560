"""A strict stand-in for the real Brevo API v3, for tests, benchmarks and trying things out.

It imports nothing of the product it judges. The law it follows is written in brevo.md (facts with sources);
module docstrings name the source of each rule, and say so where Brevo is silent and the simulator had to
choose.
"""

from .app import create_app
from .clock import Clock, ManualClock, SystemClock
from .faults import Faults
from .limits import Tier

__all__ = ["Clock", "Faults", "ManualClock", "SystemClock", "Tier", "create_app"]
