"""What is told of a change: in a sentence, and as a message that leaves the house."""
