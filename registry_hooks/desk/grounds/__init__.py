"""The grounds of a decision: a model within one unit of work, and what is found of its versions, files and Evidence."""
