"""The E2E data: meaning representations of restaurants, and sentences that say the same."""
