"""Airbyte's CDK: a declarative source along the links to the next page.

::

    python airbyte_peer.py FIRST_URL FILE [REQUESTS SECONDS]
"""

import logging
import sys

import orjson
import yaml
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.sources.declarative.concurrent_declarative_source import (
    ConcurrentDeclarativeSource,
)

_MANIFEST = """
version: 7.39.1
type: DeclarativeSource
check: {type: CheckStream, stream_names: [objects]}
streams:
  - type: DeclarativeStream
    name: objects
    retriever:
      type: SimpleRetriever
      requester:
        type: HttpRequester
        url_base: "{{ config['url'] }}"
        error_handler:
          type: DefaultErrorHandler
          backoff_strategies:
            - {type: WaitTimeFromHeader, header: Retry-After}
            - {type: ExponentialBackoffStrategy, factor: 0.1}
      record_selector:
        type: RecordSelector
        extractor: {type: DpathExtractor, field_path: ["hydra:member"]}
      paginator:
        type: DefaultPaginator
        page_token_option: {type: RequestPath}
        pagination_strategy:
          type: CursorPagination
          cursor_value: "{{ response['hydra:view'].get('hydra:next') }}"
          stop_condition: "{{ not response['hydra:view'].get('hydra:next') }}"
    schema_loader: {type: InlineSchemaLoader, schema: {type: object}}
"""
_BUDGET = """
type: HTTPAPIBudget
policies:
  - type: MovingWindowCallRatePolicy
    rates: [{{limit: {}, interval: PT{}S}}]
    matchers: [{{}}]
"""
_CATALOG = """
streams:
  - stream: {name: objects, json_schema: {}, supported_sync_modes: [full_refresh]}
    sync_mode: full_refresh
    destination_sync_mode: overwrite
"""


def main() -> None:
    """Write the records to a file, one per line; the source raises if its stream fails."""
    url, file, *limit = sys.argv[1:]
    manifest = yaml.safe_load(_MANIFEST)
    if limit:
        manifest["api_budget"] = yaml.safe_load(_BUDGET.format(*limit))
    catalog = ConfiguredAirbyteCatalogSerializer.load(yaml.safe_load(_CATALOG))
    source = ConcurrentDeclarativeSource(catalog, {"url": url}, source_config=manifest)
    with open(file, "wb") as out:
        for message in source.read(logging.getLogger("airbyte"), {"url": url}, catalog):
            if message.record:
                out.write(orjson.dumps(message.record.data, option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main()
