"""`agentkit sql` and `agentkit db`: each module is loaded when its command is used."""
