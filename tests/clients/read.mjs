// Reads calendar files with ical.js and prints what each of their events says, as JSON.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [library, ...files] = process.argv.slice(2);
const { default: ICAL } = await import(pathToFileURL(library).href);

function told(component) {
  const event = new ICAL.Event(component);
  return {
    uid: event.uid,
    starts: event.startDate.toUnixTime(),
    ends: event.endDate.toUnixTime(),
    title: event.summary,
    sequence: event.sequence,
    cancelled: component.getFirstPropertyValue("status") === "CANCELLED",
  };
}

const read = {};
for (const file of files) {
  const calendar = new ICAL.Component(ICAL.parse(readFileSync(file, "utf8")));
  for (const zone of calendar.getAllSubcomponents("vtimezone")) {
    ICAL.TimezoneService.register(zone);
  }
  read[file] = calendar.getAllSubcomponents("vevent").map(told);
}
console.log(JSON.stringify(read));
