"""Run independent tasks on this machine, on a Dask cluster, or as the jobs of an array."""
