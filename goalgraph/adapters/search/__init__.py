"""Adapters of the `search` port: `TantivySearch` in files of our own, `OpenSearch` for many machines."""
