"""`tajo demo`: an invented store goes into an invented account, and lives, on this machine alone.

The only product code that knows the simulators: `story` starts them as processes of their own and does
what a merchant would do, over HTTP; `wires` overhear how long things take; `samples` shows
three people, `cart` tells the story of one cart.
"""

from tajo.demo.story import play

__all__ = ["play"]
