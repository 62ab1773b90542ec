"""Our figures as rows of FOCUS, the FinOps Open Cost and Usage Specification: what was bought, used, left unused, and burst."""
