"""From MLflow's data set and model to the rows of a regression."""
