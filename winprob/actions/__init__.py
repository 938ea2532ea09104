"""What to do about a deal: whose support to raise, what to find out, where the executives go."""
