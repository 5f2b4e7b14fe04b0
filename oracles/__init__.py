"""Other ways to the same gradient: none sees the reference's backward pass, none knows another."""
