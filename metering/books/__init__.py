"""Books that can be closed: closings in a hash chain, restatement by adjustments, verification."""
