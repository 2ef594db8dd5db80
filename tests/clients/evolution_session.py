"""Evolution's own calendar service, asked over standard input; run by the system's Python under a
D-Bus session of its own: one line of JSON in, one line out."""

import json
import sys
from typing import Any
from urllib.parse import urlsplit

import gi

gi.require_version("EDataServer", "1.2")
gi.require_version("ECal", "2.0")
gi.require_version("ICalGLib", "3.0")
from gi.repository import ECal, EDataServer, GLib, ICalGLib  # noqa: E402  # versions are asked for first

registry = EDataServer.SourceRegistry.new_sync(None)


def subscribed(url: str) -> Any:
    """The subscription as the dialog On The Web makes it."""
    source = EDataServer.Source.new_with_uid("feed", None)
    source.set_display_name("feed")
    source.set_parent("webcal-stub")
    source.get_extension("Calendar").set_backend_name("webcal")
    parts = urlsplit(url)
    web = source.get_extension("WebDAV Backend")
    web.set_uri(GLib.Uri.parse(url, GLib.UriFlags.NONE))
    web.set_display_name("feed")
    authentication = source.get_extension("Authentication")
    authentication.set_host(parts.hostname)
    authentication.set_port(parts.port)
    authentication.set_method("none")
    source.get_extension("Security").set_method("none")
    registry.commit_source_sync(source, None)
    made = registry.ref_source("feed")
    return ECal.Client.connect_sync(made, ECal.ClientSourceType.EVENTS, 30, None)


def told(event: Any) -> dict[str, object]:
    property_kind = ICalGLib.PropertyKind.SEQUENCE_PROPERTY
    sequence = event.get_first_property(property_kind)
    return {
        "uid": event.get_uid(),
        "starts": seconds(event.get_dtstart()),
        "ends": seconds(event.get_dtend()),
        "title": event.get_summary(),
        "sequence": sequence.get_sequence() if sequence else 0,
        "cancelled": event.get_status() == ICalGLib.PropertyStatus.CANCELLED,
    }


def seconds(moment: Any) -> Any:
    zone = moment.get_timezone() or ICalGLib.Timezone.get_builtin_timezone("Asia/Ho_Chi_Minh")
    return moment.as_timet_with_zone(zone)


def main() -> None:
    client: Any = None
    for line in sys.stdin:
        asked = json.loads(line)
        answer = None
        if asked["do"] == "subscribe":
            client = subscribed(asked["url"])
        elif asked["do"] == "refresh":
            client.refresh_sync(None)
        elif asked["do"] == "kept":
            _, events = client.get_object_list_sync("#t", None)
            answer = [told(event) for event in events]
        print(json.dumps(answer), flush=True)


main()
