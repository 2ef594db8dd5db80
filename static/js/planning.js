/** The month and week calendar. Where its widget is missing, the week's list stays as it is. */

import { get, post } from "request";

const ZONE = "+07:00";
const KIND_ICONS = { study: "flag", class: "book", outreach: "mic", cell: "users" };
const QUIET_STATES = ["cancelled", "not_held"];
const CALLED_OFF = new Set(QUIET_STATES);
const NARROW = window.matchMedia("(max-width: 47.99rem)");

/** A local time as the server writes it; the widget's dates carry local hours in their UTC fields. */
function written(date) {
  const pad = (number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), pad(date.getMonth() + 1), pad(date.getDate())].join("-");
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}:00${ZONE}`;
}

const floating = (iso) => iso.slice(0, 16);

function icon(sprite, name) {
  const space = "http://www.w3.org/2000/svg";
  const picture = document.createElementNS(space, "svg");
  picture.setAttribute("class", "icon");
  picture.setAttribute("width", "14");
  picture.setAttribute("height", "14");
  picture.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `${sprite}#${name}`);
  picture.append(use);
  return picture;
}

function part(className, text) {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = text;
  return span;
}

function asEvent(meeting) {
  const classNames = [`kind-${meeting.kind}`, `state-${meeting.state}`];
  return {
    id: String(meeting.id),
    start: floating(meeting.starts_at),
    end: floating(meeting.ends_at),
    title: meeting.topic,
    classNames,
    startEditable: meeting.movable,
    durationEditable: false,
    extendedProps: meeting,
  };
}

const DAY_MS = 24 * 3600 * 1000;
const MOST_SHOWN = 3;

/** Rows as tall as the busiest day needs, up to three meetings; the rest stand behind "+ n". */
function heightFor(weeks, days, meetings) {
  const perDay = new Map();
  for (const { on } of days) perDay.set(on, 0.5);
  for (const { starts_at: starts, state } of meetings) {
    const day = starts.slice(0, 10);
    // A draft, or a meeting called off, has one more line that says so.
    perDay.set(day, (perDay.get(day) ?? 0) + (state === "draft" || CALLED_OFF.has(state) ? 1.5 : 1));
  }
  const busiest = Math.max(1, ...perDay.values());
  const row = 2.25 + Math.min(busiest, MOST_SHOWN) * 3.25 + (busiest > MOST_SHOWN ? 1.75 : 1);
  return `${7 + weeks * row}rem`;
}

const GRID_ROLES = ["table", "rowgroup", "row", "columnheader", "cell", "list", "listitem"];
const GRID = GRID_ROLES.map((role) => `[role="${role}"]`).join();

/**
 * The widget calls its parts a table, but its meetings do not stand in the rows of their days, which
 * makes screen readers lose them. Without those roles they hear plain days and buttons, in order.
 */
function describePlainly(box) {
  const strip = () => {
    box.querySelectorAll(GRID).forEach((part) => part.removeAttribute("role"));
    box.querySelectorAll("[aria-colindex]").forEach((part) => part.removeAttribute("aria-colindex"));
  };
  const attributeFilter = ["role", "aria-colindex"];
  const watch = { childList: true, subtree: true, attributes: true, attributeFilter };
  new MutationObserver(strip).observe(box, watch);
  strip();
}

export function start(box) {
  if (!window.EventCalendar) return;
  const words = JSON.parse(box.dataset.words);
  const said = document.querySelector("[data-calendar-said]");
  const mayPlan = box.dataset.mayPlan === "yes";

  function say(text, kind = "") {
    said.hidden = !text;
    said.textContent = text;
    said.className = `calendar-said ${kind && `calendar-said-${kind}`}`;
  }

  async function load(info) {
    const query = new URLSearchParams(window.location.search);
    query.set("start", info.startStr.slice(0, 10));
    query.set("end", info.endStr.slice(0, 10));
    const answer = await get(`${box.dataset.feed}?${query}`);
    const weeks = Math.round((info.end - info.start) / DAY_MS / 7);
    if (weeks > 1) calendar.setOption("height", heightFor(weeks, answer.days, answer.meetings));
    const days = answer.days.map((day) => ({
      id: `day-${day.on}`,
      start: `${day.on}T00:00`,
      end: `${day.on}T00:00`,
      allDay: true,
      editable: false,
      startEditable: false,
      title: day.name,
      classNames: ["special-day", `special-${day.kind}`],
      extendedProps: { day },
    }));
    return [...days, ...answer.meetings.map(asEvent)];
  }

  const inEnglish = box.dataset.language === "en";
  const hourMark = inEnglish ? ":" : "h";

  function content({ event, timeText }) {
    const meeting = event.extendedProps;
    if (meeting.day) return { domNodes: [part("event-topic", meeting.day.name)] };
    const line = document.createElement("span");
    line.className = "event-line";
    const clock = timeText.split(/\s*[-–]\s*/u)[0].replace(":", hourMark).replace(/^0(?=\d)/u, "");
    line.append(icon(box.dataset.sprite, KIND_ICONS[meeting.kind]), part("event-time", clock));
    line.append(part(CALLED_OFF.has(meeting.state) ? "event-topic event-off" : "event-topic", meeting.topic));
    if (words[meeting.state]) line.append(part("event-state", `(${words[meeting.state]})`));
    const more = [meeting.place, meeting.speakers].filter(Boolean).join(" · ");
    return { domNodes: more ? [line, part("event-more", more)] : [line] };
  }

  async function drop({ event, revert }) {
    const meeting = event.extendedProps;
    const times = { starts_at: written(event.start), ends_at: written(event.end) };
    if (meeting.state !== "draft") {
      window.location.assign(`${meeting.change_url}?${new URLSearchParams(times)}`);
      return;
    }
    try {
      const answer = await post(box.dataset.moves, { meeting: meeting.id, ...times });
      const clashes = answer.clashes.map(({ text }) => text);
      if (answer.day) clashes.push(words.holiday + answer.day);
      const blocked = answer.clashes.some(({ severity }) => severity === "block");
      say([words.moved, ...clashes].join(" "), clashes.length ? (blocked ? "bad" : "warn") : "good");
    } catch (error) {
      revert();
      say(error.message, "bad");
    }
  }

  function openNew(info) {
    const query = new URLSearchParams({ on: written(info.date).slice(0, 10) });
    if (!info.allDay) {
      query.set("starts", written(info.date).slice(11, 16));
      const end = new Date(info.date.getTime() + 2 * 3600 * 1000);
      if (end.getDate() === info.date.getDate()) query.set("ends", written(end).slice(11, 16));
    }
    window.location.assign(`${box.dataset.new}?${query}`);
  }

  box.hidden = false;
  document.querySelector("[data-calendar-fallback]").hidden = true;
  const calendar = window.EventCalendar.create(box, {
    view: NARROW.matches ? "listWeek" : "dayGridMonth",
    date: `${box.dataset.on}T00:00`,
    locale: inEnglish ? "en-GB" : box.dataset.language,
    timeZone: ZONE,
    firstDay: 1,
    height: NARROW.matches ? "auto" : "60rem",
    headerToolbar: { start: "prev,next today", center: "title", end: "dayGridMonth,timeGridWeek,listWeek" },
    buttonText: (text) => ({
      ...text,
      today: words.today,
      dayGridMonth: words.month,
      timeGridWeek: words.week,
      listWeek: words.list,
      prev: words.previous,
      next: words.next,
      close: words.close,
    }),
    allDayContent: words.all_day,
    slotEventOverlap: false,
    dayMaxEvents: true,
    moreLinkContent: ({ num }) => words.more.replace("{count}", num),
    noEventsContent: words.none,
    nowIndicator: true,
    slotMinTime: "06:00",
    slotMaxTime: "22:00",
    flexibleSlotTimeLimits: true,
    snapDuration: "00:15",
    scrollTime: "07:00",
    eventStartEditable: mayPlan,
    eventDurationEditable: false,
    eventSources: [{ events: (info) => load(info).catch((error) => (say(error.message, "bad"), [])) }],
    loading: (isLoading) => box.setAttribute("aria-busy", String(isLoading)),
    eventContent: content,
    eventClick: ({ event }) => {
      if (event.extendedProps.url) window.location.assign(event.extendedProps.url);
    },
    eventDrop: drop,
    dateClick: mayPlan ? openNew : undefined,
  });
  describePlainly(box);
}
