"""What to buy: quotes of subscriptions."""
