"""Binary masks as numpy arrays and run lengths."""
