"""The protocols of APIs: Hydra, GraphQL, Link headers, validators, IIIF. Knows no museum."""
