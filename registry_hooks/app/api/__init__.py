"""The JSON API: its table of routes, what their requests may say, and the document made from both."""
