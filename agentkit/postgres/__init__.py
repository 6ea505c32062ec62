"""What `agentkit.storage` stands on: connections and schema of any server, and the embedded server's life."""
