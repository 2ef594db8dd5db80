# Reads one calendar file with ruby-icalendar and prints what each of its events says, as JSON.
require "icalendar"
require "json"
require "stringio"

calendars = Icalendar::Calendar.parse(File.read(ARGV.fetch(0), encoding: "UTF-8"))
abort "not one calendar" unless calendars.length == 1
told = calendars[0].events.map do |event|
  {
    uid: event.uid.to_s,
    starts: event.dtstart.to_time.to_i,
    ends: event.dtend.to_time.to_i,
    title: event.summary.to_s,
    sequence: event.sequence.to_i,
    cancelled: event.status.to_s == "CANCELLED",
  }
end
puts JSON.generate(told)
