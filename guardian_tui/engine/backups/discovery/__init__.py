"""What is set up on a host to make backups, whoever set it up: configurations of borgmatic, restic, resticprofile and pgBackRest, and what runs them."""
