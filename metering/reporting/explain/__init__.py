"""Why a charge is what it is: the charge that is asked about, recomputed from its samples, and shown as tables."""
