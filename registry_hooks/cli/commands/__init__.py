"""The commands of ``registry-hooks``, each file a door of its own."""
