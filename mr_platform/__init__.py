"""Market-regime data platform: raw option-chain files in, tables of the market's state out.

The rooms in data order, each importing only from rooms below it:

    definitions, cli    what Dagster loads; what a person types
    orchestration       assets, checks, partitions, sensors: the only room that imports dagster
    serving             answers for trading systems
    pipelines           containers and pipelines of the cloud
    training            labels, datasets, models
    features            the component feature tables
    portfolio           portfolios of option strategies
    parity, gates       comparison with the legacy numbers; go or no-go
    simulation          a market with known regimes
    chain               raw rows to the canonical option chain
    gateways            the only room that touches disks, clouds and networks
    registry            what a column is
    config              how a run is tuned
    errors, trading_calendar    the ground floor

Here: nothing but this page. Importing the package imports no room.
"""
