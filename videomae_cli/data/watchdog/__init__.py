"""Files that hang their decoder in a worker process: found, and left out from then on."""
