"""What facts mean: occupied, entitled, burst, rates, charges, statements. Sees no HTTP and no files."""
