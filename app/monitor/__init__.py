"""What runs for ever: the resident book, price refresh, margin calls, webhooks."""
