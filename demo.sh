# A whole museum on loopback, harvested into demo/: what `make demo` runs.
set -eu
export HARVEST_DIR=demo  # never the folder that has a museum's records
folder=$(mktemp -d)
scrapy sandbox --port 0 >"$folder/sandbox" &
sandbox=$!
trap 'kill $sandbox 2>/dev/null; rm -rf "$folder"' EXIT INT TERM
until grep -qs http "$folder/sandbox"; do kill -0 $sandbox; sleep 0.1; done
DMG_BASE_URL=$(sed -n 's/^sandbox: \([^ ]*\).*/\1/p' "$folder/sandbox")
export DMG_BASE_URL
echo "The sandbox museum is at $DMG_BASE_URL"
scrapy crawl objects
echo
echo "Some records of demo/objects.jsonl:"
python -c '
import json
from itertools import islice
columns = ("object_number", "label", "date_begin", "makers", "materials")
with open("demo/objects.jsonl") as lines:
    rows = ([record[name] for name in columns] for record in map(json.loads, lines))
    for number, label, year, makers, materials in islice(filter(all, rows), 3):
        print(" ", number, "|", label, "|", year, "|", ", ".join(makers), "|", ", ".join(materials))
'
cat <<'END'

Each line is a record; this shows one in full:
  head -n 1 demo/objects.jsonl | python3 -m json.tool

Next, after `. .venv/bin/activate`:
  scrapy verify demo/objects.jsonl    compares the file with its certificate
  scrapy spiders                      lists what else can be harvested
  scrapy crawl objects                harvests the museum itself; docs/first-harvest.md says what to set first
END
