"""What a run is doing, told from what it leaves on disk; and what another run would do."""
