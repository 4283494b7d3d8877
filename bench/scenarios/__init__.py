"""What is measured: one module per scenario, one function per command."""
