"""What a rehearsal looks at in the user's files and settings, with the target's Airflow version in mind."""
