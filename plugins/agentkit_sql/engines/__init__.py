"""The engines: each opens one kind of database so that nothing can be changed through it."""
