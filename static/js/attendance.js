/** The register on a phone: tap a name, and it is kept here until the server has it. */

import { get } from "request";
import { startConflicts } from "attendance/conflicts";
import { startHeads } from "attendance/heads";
import { Keeping } from "attendance/keeping";
import { List, listenToTaps } from "attendance/list";
import { Queue } from "attendance/queue";
import { newId, Roster } from "attendance/roster";
import { Saving } from "attendance/saving";
import { Store } from "attendance/store";
import { startAdding, startChoices, startSheets, startSubmitting } from "attendance/sheets";
import { startTallies } from "attendance/tallies";

const HEADS_PAUSE = 600;
const LOOK_EVERY = 20_000;
const LINGER = 700;
const SAY_AFTER = 1200;
const TOAST = 8000;
const MOST_OF_SCREEN = 0.4;
const CLOCK_TOLERANCE = 600_000;
const HANDED_IN = new Set(["submitted", "locked"]);
const find = (selector) => document.querySelector(selector);

class Register {
  constructor(page) {
    const store = new Store();
    this.page = page;
    this.store = store;
    this.roster = new Roster(page.register, page.may_settle);
    const { app_version } = page;
    this.queue = new Queue(store, page.marks_url, "marks", { app_version, register: "counts" });
    this.headQueue = new Queue(store, page.heads_url, "counts", { app_version, pause: HEADS_PAUSE });
    this.tallyQueue = new Queue(store, page.tallies_url, "tallies", { app_version });
    this.queues = [this.queue, this.headQueue, this.tallyQueue];
    this.keeping = new Keeping(store, page, this.roster, this.queues);
    this.list = new List(find(".register-list"), page, this.roster);
    this.search = find("#register-search");
    this.saving = new Saving(
      this.queues,
      page.texts,
      (item) => this.roster.lines.get(item.subject)?.name ?? item.name ?? item.label ?? "",
    );
    this.openChoices = startChoices(this.roster, page.texts, (subject, status) => this.mark([subject], status));
    this.showConflicts = startConflicts(this.roster, page.texts, (subject, status) => this.mark([subject], status));
    this.openAdding = startAdding(page, {
      addKnown: (answer) => this.addKnown(answer),
      addStranger: (name, unit) => this.addStranger(name, unit),
    });
  }

  /** The names stand and take taps at once; what this phone remembers is laid over them then. */
  start() {
    startSheets();
    startSubmitting(this.roster, this.page.texts, () => this.saving.show());
    if (find(".heads")) startHeads(find(".heads"), this.page, this.headQueue);
    if (find(".tallies")) startTallies(find(".tallies"), this.tallyQueue);
    this.listenToNames();
    this.listenToButtons();
    this.listenToServer();
    letTallToolsScroll(find(".register-tools"));
    for (const button of document.querySelectorAll("[data-asleep]")) button.disabled = false;
    this.list.draw();
    this.showCounts();
  }

  async remember() {
    this.keeping.isNew = await this.recogniseDevice();
    const [newest] = await Promise.all([
      this.keeping.newestRegister(),
      ...this.queues.map((queue) => queue.load()),
    ]);
    if (newest) this.roster.take(newest, []);
    this.roster.lay(this.queue.waiting.values());
    this.list.paintAll();
    this.showCounts();
    this.headQueue.dispatchEvent(new CustomEvent("elsewhere", { detail: [...this.headQueue.waiting.values()] }));
    for (const queue of this.queues) queue.hurry();
    this.keeping.start();
    // The worker may have opened a copy although the server answers by now.
    if (navigator.serviceWorker?.controller && !this.saving.waiting) this.lookAgain();
  }

  /** Which phone this is, whoever signs in on it; tells whether its memory was empty. */
  async recogniseDevice() {
    const known = await this.store.fact("device");
    const device = known ?? newId().replaceAll("-", "").slice(0, 16);
    for (const queue of this.queues) queue.device = device;
    if (!known) await this.store.putFact("device", device);
    return !known;
  }

  async mark(subjects, status) {
    const marks = this.roster.set(subjects, status);
    if (!marks.length) return;
    await this.queue.add(marks);
    navigator.vibrate?.(20);
    subjects.forEach((subject) => this.list.paint(this.roster.lines.get(subject)));
    this.list.count();
    this.showCounts();
    setTimeout(() => this.list.show(), this.list.filter ? LINGER : 0);
  }

  async markMany(lines) {
    await this.mark(lines.map((line) => line.subject), "present");
    this.toast(this.page.texts.all_done.replace("%", lines.length));
  }

  async undo() {
    const marks = this.roster.undo();
    if (marks.length) await this.queue.add(marks);
    this.list.paintAll();
    this.showCounts();
    find(".toast").hidden = true;
  }

  async addKnown(answer) {
    this.take(answer.register);
    await this.mark([answer.subject], "present");
    this.showAdded(answer.subject);
  }

  async addStranger(name, unit) {
    const { subject, marks } = this.roster.addWalkIn(name, unit);
    await this.queue.add(marks);
    this.list.paintAll();
    this.showCounts();
    this.showAdded(subject);
  }

  showAdded(subject) {
    this.search.value = "";
    this.list.filter = "";
    this.look();
    this.list.rows.get(subject)?.row.scrollIntoView({ block: "center" });
    this.toast(this.page.texts.added.replace("%", this.roster.lines.get(subject)?.name ?? ""));
  }

  showCounts() {
    const numbers = this.roster.counts();
    if (numbers.total) find(".register-tools").classList.remove("heads-only");
    for (const chip of document.querySelectorAll("[data-filter]")) {
      chip.querySelector("b").textContent = numbers[chip.dataset.filter].toLocaleString("vi");
      chip.setAttribute("aria-pressed", String(this.list.filter === chip.dataset.filter));
    }
    const undo = find("#register-undo");
    if (undo) undo.disabled = this.roster.past.length === 0;
    const all = find("#register-all");
    if (all) all.disabled = numbers.not_marked === 0;
    this.showConflicts();
    this.sayCounts(numbers);
  }

  /** Tells screen readers the figures once the hand rests, not at every tap. */
  sayCounts({ here, total }) {
    if (!total) return;
    clearTimeout(this.sayTimer);
    const words = this.page.texts.group_count.replace("%", here).replace("%", total);
    this.sayTimer = setTimeout(() => {
      const said = find("[data-counts-said]");
      if (said.textContent !== words) said.textContent = words;
    }, SAY_AFTER);
  }

  toast(words) {
    const box = find(".toast");
    box.querySelector("span").textContent = words;
    box.hidden = false;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => {
      box.hidden = true;
    }, TOAST);
  }

  look() {
    this.list.query = this.search.value.trim();
    find("#register-clear").hidden = !this.search.value;
    this.list.show();
  }

  listenToNames() {
    listenToTaps(this.list.root, (button) => {
      if (button.dataset.group) this.markMany(this.notMarkedIn(button.dataset.group));
      else this.tap(button);
    });
    this.list.root.addEventListener("shown", ({ detail }) => this.showNobody(detail));
    this.search.addEventListener("input", () => this.look());
    find("#register-clear").addEventListener("click", () => {
      this.search.value = "";
      this.look();
      this.search.focus();
    });
  }

  tap(button) {
    const { subject } = button.closest(".person").dataset;
    const { status, said } = this.roster.lines.get(subject);
    if (said || button.classList.contains("person-more")) this.openChoices(subject);
    else if (status === "not_marked") this.mark([subject], "present");
    else if (status === "present") this.mark([subject], "not_marked");
    else this.openChoices(subject);
  }

  notMarkedIn(group) {
    return this.roster.notMarked().filter((line) => String(line.group ?? "guests") === group);
  }

  showNobody(shown) {
    const { texts, locked } = this.page;
    const box = find(".nobody-found");
    const { query } = this.list;
    box.hidden = shown > 0 || this.roster.lines.size === 0;
    box.querySelector("p").textContent = query ? texts.nobody.replace("%", query) : texts.nobody_here;
    box.querySelector("button").hidden = !query || locked;
  }

  listenToButtons() {
    document.querySelectorAll("[data-filter]").forEach((chip) =>
      chip.addEventListener("click", () => {
        this.list.filter = this.list.filter === chip.dataset.filter ? "" : chip.dataset.filter;
        this.list.show();
        this.showCounts();
      }),
    );
    find("#register-all")?.addEventListener("click", () => this.markMany(this.roster.notMarked()));
    find("#register-undo")?.addEventListener("click", () => this.undo());
    find(".toast button").addEventListener("click", () => this.undo());
    find("#register-add-open")?.addEventListener("click", () => this.openAdding(""));
    find(".nobody-found button").addEventListener("click", () => this.openAdding(this.list.query));
  }

  listenToServer() {
    this.queue.addEventListener("elsewhere", ({ detail }) => {
      this.roster.lay(detail);
      this.list.paintAll();
      this.showCounts();
    });
    this.queue.addEventListener("answer", ({ detail }) => {
      const others = detail.register.version > this.roster.version + 1;
      const isClockWrong = this.compareClocks(detail.register.server_time);
      const judged = detail.marks.some(
        ({ verdict }) => verdict === "refused" || (verdict === "flagged" && !isClockWrong),
      );
      this.roster.version = detail.register.version;
      if (others || judged) this.refresh(this.page.register_url);
    });
    this.headQueue.addEventListener("answer", ({ detail }) => {
      this.roster.version = detail.register.version;
    });
    setInterval(() => {
      const isIdle = document.visibilityState === "visible" && !this.saving.waiting;
      if (isIdle) this.lookAgain();
    }, LOOK_EVERY);
    window.addEventListener("online", () => !this.saving.waiting && this.lookAgain());
  }

  /** Says when this phone's clock is wrong; its marks are put right and flagged by the server. */
  compareClocks(serverTime) {
    const isWrong = Math.abs(Date.parse(serverTime) - Date.now()) > CLOCK_TOLERANCE;
    this.keeping.warn("clock", isWrong ? this.page.texts.clock : "");
    return isWrong;
  }

  lookAgain() {
    return this.refresh(`${this.page.register_url}?version=${this.roster.version}`);
  }

  async refresh(address) {
    const before = this.roster.version;
    const answer = await get(address).catch(() => null);
    if (!answer?.ok || answer.unchanged) return;
    // Marks reached the server while this answer was on its way: it is older than what is shown.
    const isOvertaken = this.roster.version !== before && answer.version < this.roster.version;
    if (!isOvertaken) this.take(answer);
  }

  /** Another phone may have handed the register in meanwhile: the page then says so itself. */
  take(register) {
    const isHandedIn = register.state !== this.page.register.state && HANDED_IN.has(register.state);
    if (isHandedIn && !this.saving.waiting) return location.reload();
    this.page.groups = register.groups;
    this.roster.take(register, this.queue.waiting.values());
    this.list.paintAll();
    return this.showCounts();
  }
}

/** With very large text the tools at the top would cover the names: they scroll away with them then. */
function letTallToolsScroll(tools) {
  const measure = () => tools.classList.toggle("is-tall", tools.offsetHeight > innerHeight * MOST_OF_SCREEN);
  new ResizeObserver(measure).observe(tools);
}

export async function start(root) {
  const page = JSON.parse(document.getElementById("register-data").textContent);
  page.groups = page.register.groups;
  page.heads = page.register.heads;
  const register = new Register(page);
  register.start();
  performance.mark("register-usable");
  root.dataset.started = "true";
  await register.remember();
  root.dataset.remembered = "true";
}
