"""What asks the provider: the collector, its spool and passwords, backfills, and lists read live. Sees no price being applied."""
