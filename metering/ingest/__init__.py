"""How facts arrive: files in every listed format, captures, and their staging into the store. Sees no price and no network."""
