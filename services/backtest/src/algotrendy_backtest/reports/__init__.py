"""What is read of a result: pages that open by themselves, and the plain values that they are drawn from."""
