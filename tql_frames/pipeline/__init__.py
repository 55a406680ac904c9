"""Run the steps of every call: check the arguments, compute the weights, draw, take the rows."""
