/** Follows long work on the server by asking once a second, and goes on when it is done. */

import { get } from "request";

const SECOND = 1000;

function show(box, status) {
  const bar = box.querySelector("progress");
  if (status.total) {
    bar.max = status.total;
    bar.value = status.done;
  }
  const number = new Intl.NumberFormat("vi");
  const count = status.total ? `${number.format(status.done)}/${number.format(status.total)}` : "";
  box.querySelector("[data-progress-text]").textContent = [count, status.text]
    .filter(Boolean)
    .join(" · ");
}

export function start(box) {
  async function ask() {
    try {
      const status = await get(box.dataset.statusUrl);
      show(box, status);
      if (status.state === "running") setTimeout(ask, SECOND);
      else if (status.next) window.location.assign(status.next);
      else if (status.state === "failed") box.classList.add("progress-failed");
    } catch {
      setTimeout(ask, 3 * SECOND);
    }
  }
  ask();
}
