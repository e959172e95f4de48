"""The museums' facts as TOML: limits, terms, licences, sunset dates, each with source and date checked."""
