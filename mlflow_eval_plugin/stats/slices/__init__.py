"""What is asked of slices: gaps, fairness, weak slices, what they wait and cost, harm that no Check covers."""
