/** Keeps what was tapped in the phone's memory until the server has given each item a verdict. */

import { alone, deliver, freshToken, listenToOthers, tellOthers } from "attendance/delivery";

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60_000;
const PAUSE = 150;
const SIGNED_OUT = new Set([401, 403, 410]);
const tokenOfPage = () => document.querySelector('meta[name="csrf-token"]');

export class Queue extends EventTarget {
  /** `key` is the name of the list in the body: "marks" or "counts". */
  constructor(store, url, key, { pause = PAUSE, device = "", ...extra } = {}) {
    super();
    Object.assign(this, { store, url, key, pause, device, extra });
    this.waiting = new Map();
    this.refused = new Map();
    this.writing = new Map();
    this.changes = 0;
    this.savedAt = null;
    this.trouble = "";
    this.nextTry = 0;
    this.wait = FIRST_WAIT;
    this.sending = false;
    this.timer = null;
    for (const [target, name] of [
      [window, "online"],
      [window, "focus"],
      [window, "pageshow"],
      [document, "visibilitychange"],
    ]) {
      target.addEventListener(name, () => this.hurry());
    }
    listenToOthers((told) => this.hear(told));
  }

  get size() {
    return this.waiting.size;
  }

  /** Reads what an earlier page, or another one, has left here. */
  async load() {
    let records = [];
    let changes = 0;
    do {
      changes = this.changes;
      records = await this.store.items(this.url);
    } while (changes !== this.changes);
    this.waiting.clear();
    this.refused.clear();
    for (const { id, item, refused } of records) {
      if (refused) this.refused.set(id, { ...item, reason: refused });
      else this.waiting.set(id, item);
    }
    for (const [id, item] of this.writing) this.waiting.set(id, item);
    this.oldest = records.find((one) => !one.refused)?.kept_at ?? null;
    const saved = await this.store.fact(`saved ${this.url}`);
    if (saved) this.savedAt = new Date(saved);
    this.tell();
  }

  /** Keeps the items on the phone's disk, and only then sends them; `instead` are ids they replace. */
  async add(items, instead = []) {
    const { url, key } = this;
    const now = Date.now();
    const records = items.map((item, place) => ({ id: item.id, url, key, item, kept_at: now + place / 1000 }));
    for (const id of instead) this.waiting.delete(id);
    for (const item of items) {
      this.waiting.set(item.id, item);
      this.writing.set(item.id, item);
    }
    this.changes += 1;
    await this.store.put(records, instead);
    for (const { id } of items) this.writing.delete(id);
    this.changes += 1;
    tellOthers(url, items);
    this.tell();
    this.plan(this.trouble ? Math.max(0, this.nextTry - Date.now()) : this.pause);
  }

  /** Tries at once, whatever the back-off says. */
  hurry() {
    if (!this.size || document.visibilityState === "hidden") return;
    this.wait = FIRST_WAIT;
    this.plan(0);
  }

  async forgetRefused(id) {
    this.refused.delete(id);
    await this.store.settle([{ id }], []).catch(() => {});
    this.tell();
  }

  plan(after) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), after);
  }

  async send() {
    if (this.sending || !this.size) return;
    this.sending = true;
    this.tell();
    try {
      const ran = await alone(this.url, () => this.sendAll());
      this.sending = false;
      if (!ran) this.plan(FIRST_WAIT);
      else if (this.size) this.plan(this.pause);
    } catch (error) {
      this.sending = false;
      await this.postpone(error);
    }
    this.tell();
  }

  async sendAll() {
    const { store, url, device, extra } = this;
    for (;;) {
      const sent = await deliver(store, url, { token: tokenOfPage().content, device, extra });
      if (!sent) return this.load();
      this.accept(sent);
    }
  }

  accept({ answer, done, refused }) {
    for (const { id } of [...done, ...refused]) this.waiting.delete(id);
    for (const one of refused) this.refused.set(one.id, { ...one.item, reason: one.refused });
    this.trouble = "";
    this.signedOut = false;
    this.wait = FIRST_WAIT;
    this.savedAt = new Date();
    tellOthers(this.url);
    this.tell();
    if (answer.register) this.dispatchEvent(new CustomEvent("answer", { detail: answer }));
  }

  async postpone(error) {
    this.trouble = error.status ? error.message || String(error.status) : "network";
    const token = error.body?.reason === "csrf" ? await this.renewToken() : undefined;
    this.signedOut = SIGNED_OUT.has(error.status) || token === null;
    const spread = 0.75 + Math.random() / 2;
    this.nextTry = Date.now() + (token ? 0 : this.wait * spread);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    this.plan(Math.max(FIRST_WAIT / 2, this.nextTry - Date.now()));
    this.dispatchEvent(new Event("trouble"));
  }

  /** The new token; null when nobody is signed in any more, nothing when there is no network. */
  async renewToken() {
    const found = await freshToken(this.url).catch(() => undefined);
    if (found) tokenOfPage().content = found;
    return found;
  }

  /** What another page of this browser taps or sends is seen here too. */
  async hear({ url, items }) {
    if (url !== this.url) return;
    await this.load();
    if (items.length) this.dispatchEvent(new CustomEvent("elsewhere", { detail: items }));
  }

  tell() {
    this.dispatchEvent(new Event("change"));
  }
}
