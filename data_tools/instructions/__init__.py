"""Instructions, conversations and preferences: files read into records, and prompts from them."""
