"""Read weights from untrusted files without running any code in them."""
