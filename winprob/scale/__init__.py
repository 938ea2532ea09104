"""Scale-out: score deals and fit teams with the same functions in one process, on Spark or on Dask."""
