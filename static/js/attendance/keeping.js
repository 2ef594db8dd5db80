/** Keeps an opened register on the phone, so that it opens without a network; says what stands in the way. */

import { deliverAll } from "attendance/delivery";

const SOON = 100;
const DAY = 86_400_000;
const LEAST_ROOM = 5_000_000;
const MARKER = "attendance-unsent";

export class Keeping {
  constructor(store, page, roster, queues) {
    Object.assign(this, { store, page, roster, queues });
    this.isNew = false;
    this.timer = null;
    this.kept = null;
  }

  /** The register kept here, when the page itself is an older copy; else nothing. */
  async newestRegister() {
    const { register } = this.page;
    this.kept = await this.store.page(register.meeting).catch(() => null);
    const isNewer = this.kept?.register.version > register.version;
    return isNewer ? { ...this.kept.register, state: register.state } : null;
  }

  start() {
    for (const queue of this.queues) {
      queue.addEventListener("change", () => this.keepSoon());
      queue.addEventListener("trouble", () => this.askForSync());
    }
    this.warnOfEviction();
    this.warnOfStorage();
    startWorker(this.page.worker_url, () => this.queues.every((queue) => !queue.size));
    window.addEventListener("pagehide", () => this.keep());
    // Asked at a tap: some browsers show a question, and one that comes by itself is refused.
    document.addEventListener("click", () => navigator.storage?.persist?.().catch(() => {}), { once: true });
    const others = `/attendance/${this.page.register.meeting}/`;
    (globalThis.requestIdleCallback ?? setTimeout)(async () => {
      await this.store.forgetOldPages(Date.now()).catch(() => {});
      await this.keepPage().catch(() => {});
      document.querySelector(".register").dataset.kept = "true";
      await deliverAll(this.store, others).catch(() => {});
    });
  }

  keepSoon() {
    this.warnOfStorage();
    const unsent = this.queues.reduce((sum, queue) => sum + queue.size, 0);
    rememberUnsent(this.page.register.meeting, unsent);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), SOON);
  }

  /** The statuses as they stand now, beside the page that shows them. */
  async keep() {
    if (!this.kept?.html) return;
    const { version } = this.roster;
    this.kept.register = { ...this.kept.register, version, subjects: [...this.roster.lines.values()] };
    await this.store.putPage(this.kept).catch(() => {});
  }

  /** Reads the page once more as the server writes it, unless this one is kept already. */
  async keepPage() {
    const { register, app_version, page_url, language, starts_at_text } = this.page;
    const facts = { app_version, state: register.state, language };
    const same = this.kept?.html && Object.entries(facts).every(([name, value]) => this.kept[name] === value);
    if (!same) {
      const response = await fetch(page_url, { headers: { Accept: "text/html" }, redirect: "manual" });
      const html = await response.text();
      if (!response.ok || !html.includes('id="register-data"')) return;
      const policy = response.headers.get("content-security-policy");
      const { meeting, topic, ends_at } = register;
      this.kept = { meeting, topic, ends_at, when: starts_at_text, html, policy, register, ...facts };
    }
    await this.keep();
  }

  askForSync() {
    navigator.serviceWorker?.ready.then((worker) => worker.sync?.register("attendance")).catch(() => {});
  }

  /** What was unsent when the page was last open has to be here still. */
  warnOfEviction() {
    const before = unsentBefore(this.page.register.meeting);
    const now = this.queues.reduce((sum, queue) => sum + queue.size, 0);
    if (before && this.isNew) this.warn("evicted", this.page.texts.evicted.replace("%", before));
    rememberUnsent(this.page.register.meeting, now);
  }

  async warnOfStorage() {
    const { texts } = this.page;
    this.warn("unkept", this.store.fault ? texts.unkept : "");
    const oldest = Math.min(...this.queues.map((queue) => (queue.size && queue.oldest) || Infinity));
    this.warn("stale", Date.now() - oldest > DAY ? texts.stale : "");
    if (this.estimated) return;
    this.estimated = true;
    const { quota, usage } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
    if (quota && quota - usage < LEAST_ROOM) this.warn("full", texts.full);
  }

  warn(kind, words) {
    const box = document.querySelector(".storage-warning");
    const line = box.querySelector(`[data-kind="${kind}"]`);
    line.textContent = words;
    line.hidden = !words;
    box.hidden = [...box.querySelectorAll("[data-kind]")].every((one) => one.hidden);
  }
}

function unsentBefore(meeting) {
  try {
    return Number(localStorage.getItem(`${MARKER}-${meeting}`));
  } catch {
    return 0;
  }
}

function rememberUnsent(meeting, number) {
  try {
    if (number) localStorage.setItem(`${MARKER}-${meeting}`, String(number));
    else localStorage.removeItem(`${MARKER}-${meeting}`);
  } catch {
    // A browser that refuses this refuses IndexedDB as well, and that is told.
  }
}

/** Starts the service worker; a new one takes over only while nothing waits to be sent. */
export async function startWorker(address, isIdle = () => true) {
  if (!navigator.serviceWorker || !address) return;
  const options = { scope: "/", type: "module", updateViaCache: "none" };
  const registration = await navigator.serviceWorker.register(address, options).catch(() => null);
  if (registration?.waiting && isIdle()) registration.waiting.postMessage("take over");
}
