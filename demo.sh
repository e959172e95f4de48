# A whole museum on loopback, harvested: what `make demo` runs.
set -eu
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
echo "The first records of ${HARVEST_DIR:-data}/objects.jsonl:"
head -n 3 "${HARVEST_DIR:-data}/objects.jsonl" | python -c '
import json, sys
for line in sys.stdin:
    record = json.loads(line)
    print(" ", record["object_number"], "|", record["label"], "|", record["date_begin"],
          "|", ", ".join(record["makers"]), "|", ", ".join(record["materials"]))
'
