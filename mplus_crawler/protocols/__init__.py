"""How APIs list records, and how HTTP links and validates responses; knows no museum."""
