"""Labels as lists write them: their cells, the names of classes, and checks."""
