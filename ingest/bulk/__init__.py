"""The path of the first hundred million: works are encoded anywhere, and loaded with their vectors.

`rows` is what a work is on this way, `shards` how a bulk job keeps it in Parquet files, `foreign`
how tables and arrays of others become rows; `loading` takes rows in as `lawful ingest` takes files
in. `portions` divides a source, `encoder` makes a shard of a portion, `cluster` runs many on Ray.
"""
