"""The dossier of a version: what the registry can prove of it, as one zip file that an outsider verifies."""
