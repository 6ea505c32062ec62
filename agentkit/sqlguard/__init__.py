"""SQL that is safe by construction: one read-only statement, allow-listed, under a policy and limits."""
