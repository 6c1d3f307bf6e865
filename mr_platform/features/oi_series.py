"""The open-interest section of the minute panel.

Here: the section's columns, put together from its two halves.
Not here: how they are summed (``oi_walls.py`` over the whole chain, ``oi_flows.py`` on fixed
strikes near the money), features (``c3_oi_price_action.py``).

==========================================  ====================================================
columns                                     meaning
==========================================  ====================================================
``oi_ce``, ``oi_pe``                        open interest over the chain
``chain_volume``                            volume of both legs over the chain
``max_pain``                                strike of least total intrinsic value
``call_wall``, ``put_wall``                 strike with the largest open interest of the leg
``…_wall_oi``, ``…_wall_oi_open``           its open interest now and at its open value
``call_second_oi``, ``put_second_oi``       second largest open interest of the leg
``oi_centroid_{leg}``                       mean strike near the money, weighted
``o3_pain_depth``                           1 - least pain / pain at the strike nearest to spot
``o3_{side}``, ``_share``, ``_growth``      wall on one side of spot, its share of the leg's open
                                            interest on that side, now over 15 minutes ago
``o3_volume_{leg}``,                        volume over the chain, and on how many strikes
``o3_volume_strikes_{leg}``
``o3_since_close_{leg}``                    open interest now over yesterday's close
``o3_oi_{leg}``                             open interest near the money
``o3_volume_{leg}_{w}``                     its volume over w minutes
``o3_change_{leg}_{w}``, ``o3_base_…``      its change over w minutes, and what it changed from
``o3_gross_{leg}``                          sum of absolute changes over 15 minutes
``o3_price_{leg}_{w}``                      relative change of premium over w minutes
``o3_velocity_…``, ``o3_accel_{leg}_{w}``   slope a minute and second difference, relative
``o3_share_{kind}_{leg}``                   share of a build-up class in the gross change
``o3_bucket_{bucket}_{leg}``                change of a bucket of strikes over the leg's base
``o3_hhi_oi_…``, ``o3_hhi_flow_{leg}``      concentration of open interest and of its change
``o3_otm_share_{leg}``                      share out of the money
``o3_pcr_change_{w}``                       log change of the put-call ratio
``o3_spread``, ``o3_spread_growth``         dispersion over strikes in points, its log change
==========================================  ====================================================
"""

from __future__ import annotations

import polars as pl

from mr_platform.features.chain_grid import CELL, ChainGrid
from mr_platform.features.oi_flows import flow_series
from mr_platform.features.oi_walls import wall_series


def oi_series(grid: ChainGrid, previous_close: pl.DataFrame | None = None) -> pl.DataFrame:
    """Open-interest columns of the minute panel.

    Args:
        grid: The chain on the grid.
        previous_close: Closing open interest of the trading day before: symbol, date (the day
            that reads it), expiry_date, strike, ce_oi, pe_oi; None where there is none, which
            leaves ``o3_since_close_…`` null.

    Returns:
        One row a cell with a quote: cell and the columns above.
    """
    walls, flows = wall_series(grid, previous_close), flow_series(grid)
    joined = walls.lazy().join(flows.lazy(), on=CELL, how="left", maintain_order="left")
    return grid.engine.collect(joined)
