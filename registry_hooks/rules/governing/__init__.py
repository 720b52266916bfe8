"""How a model comes under a policy: which policy may name it, and with which roles it comes."""
