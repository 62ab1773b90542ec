"""Our figures held against the provider's own, row by row: matched, ours only, theirs only, different, and why."""
