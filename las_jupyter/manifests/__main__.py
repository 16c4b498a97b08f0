"""``python -m las_jupyter.manifests``: write the JSON Schema of manifests anew; with a file, its own checksum."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from las_jupyter.manifests.load import own_checksum, read_file
from las_jupyter.manifests.schema import json_schema

if len(sys.argv) > 1:
    print(own_checksum(read_file(sys.argv[1])))
else:
    place = Path(__file__).with_name("manifest.schema.json")
    place.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
    print(f"wrote {place}")
