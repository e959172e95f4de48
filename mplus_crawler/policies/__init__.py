"""The museums' facts: limits, terms, licences, sunset dates, each with source and date checked."""
