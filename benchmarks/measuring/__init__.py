"""What the benchmarks share: the machine, rounds and JSON, optimizer steps, products, commands."""
