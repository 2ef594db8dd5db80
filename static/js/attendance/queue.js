/** Keeps what was tapped until the server has given each item its own verdict. */

import { post } from "request";

const BATCH = 200;
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 60_000;

/** Asks the page's own address for a new token, for instance after signing in again elsewhere. */
async function renewToken() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  const found = new DOMParser()
    .parseFromString(await response.text(), "text/html")
    .querySelector('meta[name="csrf-token"]');
  if (found) document.querySelector('meta[name="csrf-token"]').content = found.content;
}

export class Queue extends EventTarget {
  /** `key` is the name of the list in the body: "marks" or "counts". */
  constructor(url, key, extra = {}) {
    super();
    Object.assign(this, { url, key, extra });
    this.waiting = new Map();
    this.refused = new Map();
    this.savedAt = null;
    this.trouble = "";
    this.nextTry = 0;
    this.wait = FIRST_WAIT;
    this.sending = false;
    this.timer = null;
    for (const [target, name] of [
      [window, "online"],
      [window, "focus"],
      [document, "visibilitychange"],
    ]) {
      target.addEventListener(name, () => this.hurry());
    }
  }

  get size() {
    return this.waiting.size;
  }

  add(items) {
    for (const item of items) this.waiting.set(item.id, item);
    this.tell();
    this.plan(this.trouble ? Math.max(0, this.nextTry - Date.now()) : 150);
  }

  /** Tries at once, whatever the back-off says. */
  hurry() {
    if (!this.size || document.visibilityState === "hidden") return;
    this.wait = FIRST_WAIT;
    this.plan(0);
  }

  forgetRefused(id) {
    this.refused.delete(id);
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
    const items = [...this.waiting.values()].slice(0, BATCH);
    try {
      const body = { [this.key]: items, sent_at: new Date().toISOString(), ...this.extra };
      this.accept(items, await post(this.url, body));
      this.sending = false;
      if (this.size) this.plan(0);
    } catch (error) {
      this.sending = false;
      await this.postpone(error);
    }
    this.tell();
  }

  accept(items, answer) {
    if (!answer?.ok || !Array.isArray(answer[this.key])) throw new Error("no answer of ours");
    const sent = new Map(items.map((item) => [item.id, item]));
    for (const { id, verdict, reason } of answer[this.key]) {
      const item = sent.get(id);
      if (!item) continue;
      this.waiting.delete(id);
      if (verdict === "refused") this.refused.set(id, { ...item, reason });
    }
    this.trouble = "";
    this.wait = FIRST_WAIT;
    this.savedAt = new Date();
    this.dispatchEvent(new CustomEvent("answer", { detail: answer }));
  }

  async postpone(error) {
    this.trouble = error.status ? error.message : "network";
    this.signedOut = error.status === 401 || error.status === 403;
    const forged = error.body?.reason === "csrf";
    const spread = 0.75 + Math.random() / 2;
    this.nextTry = Date.now() + (forged ? 0 : this.wait * spread);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    if (forged) await renewToken().catch(() => {});
    this.plan(Math.max(FIRST_WAIT / 2, this.nextTry - Date.now()));
  }

  tell() {
    this.dispatchEvent(new Event("change"));
  }
}
