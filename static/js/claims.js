/** The list of scans: says when there are others than those shown, without moving what is read. */

import { get } from "request";

const LOOK_EVERY = 5000;

export function start(root) {
  const more = root.querySelector('[data-claims="more"]');
  setInterval(async () => {
    if (document.visibilityState !== "visible") return;
    const answer = await get(root.dataset.codeUrl).catch(() => null);
    if (answer) more.hidden = answer.waiting <= Number(root.dataset.waiting);
  }, LOOK_EVERY);
}
