/** Draws the names by group, a piece at a time, and keeps each row like its line. */

import { fold, matches } from "text";
import { isAbsent } from "attendance/roster";

const PIECE = 60;
const STEADY = 10;
const ICONS = {
  present: "check",
  late: "clock",
  left_early: "clock",
  excused: "info",
  unexcused: "close",
  not_marked: "",
};

export function icon(page, name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  if (name) use.setAttribute("href", `${page.sprite}#${name}`);
  svg.append(use);
  return svg;
}

export function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A tap is for the name on which the finger came down, even when the names slide or are drawn anew
 * before it is lifted: the browser then gives the click to what both have in common, or to nobody. */
export function listenToTaps(root, tap) {
  let pressed = null;
  const isSteady = ({ clientX, clientY }) => Math.hypot(clientX - pressed.x, clientY - pressed.y) < STEADY;
  const buttonAt = ({ target }) => (root.contains(target) ? target.closest("button:not(:disabled)") : null);
  const tapPressed = () => {
    const { button } = pressed;
    pressed = null;
    tap(button);
  };
  document.addEventListener("pointerdown", (event) => {
    const button = buttonAt(event);
    pressed = button && { button, x: event.clientX, y: event.clientY };
  });
  document.addEventListener("pointercancel", () => {
    pressed = null;
  });
  document.addEventListener("pointerup", (event) => {
    if (pressed && !pressed.button.isConnected && isSteady(event)) tapPressed();
  });
  document.addEventListener("click", (event) => {
    const button = buttonAt(event);
    const isElsewhere = Boolean(event.target.closest("a, button, input, label, summary, dialog"));
    if (button) {
      pressed = null;
      tap(button);
    } else if (pressed && !isElsewhere && isSteady(event)) tapPressed();
  });
}

function nameOf(line) {
  if (line.subject.startsWith("h:")) return [element("b", "", line.name)];
  const words = line.name.split(" ");
  const given = words.pop();
  return [words.length ? `${words.join(" ")} ` : "", element("b", "", given)];
}

export class List {
  constructor(root, page, roster) {
    Object.assign(this, { root, page, roster });
    this.rows = new Map();
    this.sections = new Map();
    this.query = "";
    this.filter = "";
    this.drawing = 0;
  }

  /** Draws everything anew; the first names stand at once, the rest follow between frames. */
  draw() {
    this.drawing += 1;
    this.root.replaceChildren();
    this.rows.clear();
    this.sections.clear();
    const lines = [...this.roster.lines.values()];
    const names = new Map(this.page.groups.map((group) => [group.id, group.name]));
    for (const line of lines) this.sectionOf(line, names);
    this.drawPiece(lines, 0, this.drawing);
  }

  drawPiece(lines, from, drawing) {
    if (drawing !== this.drawing) return;
    for (const line of lines.slice(from, from + PIECE)) this.add(this.roster.lines.get(line.subject) ?? line);
    this.count();
    if (from + PIECE < lines.length) {
      requestAnimationFrame(() => this.drawPiece(lines, from + PIECE, drawing));
    } else {
      this.root.dataset.ready = "true";
      this.show();
    }
  }

  sectionOf(line, names) {
    const key = line.group ?? "guests";
    if (this.sections.has(key)) return this.sections.get(key);
    const title = line.group ? (names?.get(line.group) ?? line.unit) : this.page.texts.guests;
    const count = element("span", "group-count");
    const all = element("button", "group-all", this.page.texts.group_present);
    all.type = "button";
    all.dataset.group = key;
    const list = element("ul", "people");
    const section = element("section", "group", element("header", "group-head", element("h2", "", title), count, all), list);
    const kept = { section, list, count, all, key };
    this.sections.set(key, kept);
    this.root.append(section);
    return kept;
  }

  add(line) {
    const name = element("span", "person-name", ...nameOf(line));
    const note = element("span", "person-note");
    const main = element("button", "person-main", icon(this.page, ""), element("span", "person-text", name, note));
    main.type = "button";
    const more = element("button", "person-more", icon(this.page, "more"));
    more.type = "button";
    more.setAttribute("aria-label", this.page.texts.more.replace("%", line.name));
    main.disabled = more.disabled = this.page.locked;
    const row = element("li", "person", main, more);
    row.dataset.subject = line.subject;
    this.rows.set(line.subject, { row, main, note, folded: fold(line.name), key: line.group ?? "guests" });
    this.sectionOf(line).list.append(row);
    this.paint(line);
  }

  paint(line) {
    const kept = this.rows.get(line.subject);
    if (!kept) return;
    const { row, main, note } = kept;
    row.dataset.status = line.status;
    main.setAttribute("aria-pressed", String(!isAbsent(line.status) && line.status !== "not_marked"));
    const name = ICONS[line.status];
    main.querySelector("use").setAttribute("href", name ? `${this.page.sprite}#${name}` : "");
    const { texts } = this.page;
    const about = [texts.statuses[line.status]];
    if (line.birth_year) about.push(texts.born.replace("%", line.birth_year));
    if (!line.group && line.unit) about.push(line.unit);
    const before = texts.statuses[this.page.previous?.[line.subject]];
    if (before) about.push(texts.previous.replace("%", before.toLocaleLowerCase("vi")));
    if (line.said) about.push(texts.disagree);
    note.textContent = about.join(" · ");
    row.classList.toggle("person-doubtful", Boolean(line.said));
  }

  paintAll() {
    const missing = [...this.roster.lines.values()].filter((line) => !this.rows.has(line.subject));
    const gone = [...this.rows.keys()].some((subject) => !this.roster.lines.has(subject));
    if (this.root.dataset.ready && (gone || missing.length > PIECE)) return this.draw();
    if (this.root.dataset.ready) missing.forEach((line) => this.add(line));
    this.roster.lines.forEach((line) => this.paint(line));
    this.count();
    this.show();
    return undefined;
  }

  count() {
    const byGroup = new Map();
    for (const line of this.roster.lines.values()) {
      const key = line.group ?? "guests";
      if (!byGroup.has(key)) byGroup.set(key, []);
      byGroup.get(key).push(line);
    }
    for (const [key, { count, all }] of this.sections) {
      const numbers = this.roster.counts(byGroup.get(key) ?? []);
      count.textContent = `${numbers.here}/${numbers.total}`;
      count.setAttribute("aria-label", this.page.texts.group_count.replace("%", numbers.here).replace("%", numbers.total));
      all.hidden = this.page.locked || numbers.not_marked === 0 || this.sections.size < 2 || key === "guests";
    }
  }

  isShown(line, folded) {
    if (this.filter === "absent" && !isAbsent(line.status)) return false;
    if (this.filter === "late" && line.status !== "late" && line.status !== "left_early") return false;
    if (["present", "not_marked"].includes(this.filter) && line.status !== this.filter) return false;
    return !this.query || matches(this.query, folded);
  }

  /** Hides what the search and the filter leave out; tells how many are shown. */
  show() {
    const shown = new Map();
    let number = 0;
    for (const [subject, { row, folded, key }] of this.rows) {
      const line = this.roster.lines.get(subject);
      const visible = Boolean(line) && this.isShown(line, folded);
      if (row.hidden === visible) row.hidden = !visible;
      if (visible) {
        number += 1;
        shown.set(key, true);
      }
    }
    for (const [key, { section }] of this.sections) section.hidden = !shown.has(key);
    this.root.dispatchEvent(new CustomEvent("shown", { detail: number }));
  }
}
