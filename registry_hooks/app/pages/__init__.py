"""The pages on which people decide: server-rendered, without scripts, asked of the same desk as the JSON API."""
