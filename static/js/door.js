/** The screen at the door: shows the next code when the present one ends, and keeps the screen lit. */

import { get } from "request";

const AGAIN = 5000;

export function start(section) {
  const part = (name) => document.querySelector(`[data-door="${name}"]`);
  const lost = part("lost");
  let endsAt = Date.now() + Number(section.dataset.seconds) * 1000;
  let askAgainAt = 0;

  function show(answer) {
    if (!answer.code) return void location.reload();
    const drawn = new DOMParser().parseFromString(answer.picture, "text/html");
    part("picture").replaceChildren(drawn.querySelector("svg"));
    part("code").textContent = `${answer.code.slice(0, 4)} ${answer.code.slice(4)}`;
    part("waiting").textContent = answer.waiting.toLocaleString("vi");
    part("confirmed").textContent = answer.confirmed.toLocaleString("vi");
    endsAt = Date.now() + answer.seconds_left * 1000;
    lost.hidden = true;
  }

  async function refresh() {
    askAgainAt = Date.now() + AGAIN;
    try {
      show(await get(section.dataset.codeUrl));
    } catch (error) {
      lost.textContent = error.status ? error.message : section.dataset.lost;
      lost.hidden = Date.now() < endsAt;
    }
  }

  setInterval(() => {
    part("seconds").value = Math.max(0, Math.ceil((endsAt - Date.now()) / 1000));
    if (Date.now() >= askAgainAt) refresh();
  }, 1000);
  const light = () => navigator.wakeLock?.request("screen").catch(() => null);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && light());
  light();
}
