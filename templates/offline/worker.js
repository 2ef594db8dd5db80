import * as delivery from {{ static_url("js/attendance/delivery.js")|tojson }};
import * as memory from {{ static_url("js/attendance/store.js")|tojson }};
import { start } from {{ static_url("js/attendance/worker.js")|tojson }};

start(
  { ...memory, ...delivery },
  {
    version: {{ version|tojson }},
    listUrl: {{ url_for("offline.index")|tojson }},
    files: {{ files|tojson }},
  },
);
