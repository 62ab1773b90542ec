"""Pictures of a period: what they show, from where, and how they are drawn."""
