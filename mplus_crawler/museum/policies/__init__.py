"""The museums' facts as data: limits, terms, licences, sunset dates, each with source and date."""
