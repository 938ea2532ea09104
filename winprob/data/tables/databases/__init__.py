"""Tables from databases: a query file is run read-only, and its result is a Parquet file, read like any other."""
