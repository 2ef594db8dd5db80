/** Says honestly what the server has, what it has not, and what it would not take. */

import { element } from "attendance/list";

const hourMark = document.documentElement.lang === "en" ? ":" : "h";
export const clock = (at) => `${at.getHours()}${hourMark}${String(at.getMinutes()).padStart(2, "0")}`;

export class Saving {
  constructor(queues, texts, nameOf) {
    Object.assign(this, { queues, texts, nameOf });
    this.box = document.querySelector(".save-state");
    for (const queue of queues) {
      queue.addEventListener("change", () => {
        this.show();
        this.showRefused();
      });
    }
    setInterval(() => queues.some((one) => one.trouble) && this.show(), 1000);
    this.box.querySelector("button").addEventListener("click", () => queues.forEach((one) => one.hurry()));
    window.addEventListener("beforeunload", (event) => {
      if (this.waiting) event.preventDefault();
    });
    this.show();
  }

  get waiting() {
    return this.queues.reduce((sum, one) => sum + one.size, 0);
  }

  words(troubled) {
    const { texts } = this;
    const savedAt = Math.max(...this.queues.map((one) => one.savedAt?.getTime() ?? 0));
    if (!this.waiting) return savedAt ? texts.saved_at.replace("%", clock(new Date(savedAt))) : texts.saved;
    const unsent = texts.unsent.replace("%", this.waiting);
    if (!troubled) return unsent;
    const last = savedAt ? `, ${texts.last_sent.replace("%", clock(new Date(savedAt)))}` : "";
    const seconds = Math.max(1, Math.ceil((troubled.nextTry - Date.now()) / 1000));
    return `${unsent}${last}. ${troubled.signedOut ? texts.signed_out : texts.again_in.replace("%", seconds)}`;
  }

  show() {
    const troubled = this.queues.find((one) => one.size && one.trouble);
    this.box.dataset.state = troubled ? "trouble" : this.waiting ? "sending" : "saved";
    const words = this.words(troubled);
    const shown = this.box.querySelector("span");
    if (shown.textContent !== words) shown.textContent = words;
    this.box.querySelector("button").hidden = !troubled;
    const signIn = this.box.querySelector("a");
    if (signIn) signIn.hidden = !troubled?.signedOut;
    const submit = document.querySelector("#register-submit-now");
    if (submit) submit.disabled = this.waiting > 0;
    const hint = document.querySelector("#register-submit-wait");
    if (hint) hint.hidden = this.waiting === 0;
  }

  showRefused() {
    const box = document.querySelector(".refused");
    const items = this.queues.flatMap((one) => [...one.refused.values()].map((item) => [one, item]));
    box.hidden = items.length === 0;
    box.querySelector("ul").replaceChildren(...items.map(([owner, item]) => this.refusedLine(owner, item)));
  }

  refusedLine(owner, item) {
    const close = element("button", "button button-secondary", this.texts.understood);
    close.type = "button";
    close.addEventListener("click", () => owner.forgetRefused(item.id));
    return element("li", "", element("p", "", element("b", "", this.nameOf(item)), ` ${item.reason ?? ""}`), close);
  }
}
