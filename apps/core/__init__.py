"""What every app stands on: people, teams, projects, API keys, audit, errors, storage, artefacts and lineage."""
