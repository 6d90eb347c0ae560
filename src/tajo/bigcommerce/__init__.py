"""BigCommerce, the side where data comes from.

`Api` speaks to one store, `BigCommerceSource` reads it in Tajo's words. From bytes to records it goes
`api` (calls, refusals) with `limits` (the pace) -> `wire` (their JSON) -> `records` and `values` (ours,
pure), led by `resources` (the table of what there is), `paging` (how a list is followed, pure) and `walk`
(which follows it). `export` writes a store into files.
"""

from tajo.bigcommerce.api import Api, Declined
from tajo.bigcommerce.export import export_store
from tajo.bigcommerce.limits import StoreLimits
from tajo.bigcommerce.source import BigCommerceSource

__all__ = ["Api", "BigCommerceSource", "Declined", "StoreLimits", "export_store"]
