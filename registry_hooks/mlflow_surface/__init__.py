"""MLflow as the gate sees it: literal tables of its store's methods and HTTP routes, and what differs by release."""
