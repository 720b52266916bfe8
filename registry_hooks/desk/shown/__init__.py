"""What people are shown before they decide: their inbox, and a Proposal with all that it rests on."""
