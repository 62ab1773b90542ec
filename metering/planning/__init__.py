"""What to buy, and what comes: quotes, advice, forecasts. Nothing is bought and nothing is written."""
