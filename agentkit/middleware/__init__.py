"""What stands around the model and the tools in the agent's loop, one file each."""
