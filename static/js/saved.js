/** The registers kept on this phone, and how much of each waits; shown when there is no network. */

import { deliverAll } from "attendance/delivery";
import { startWorker } from "attendance/keeping";
import { element } from "attendance/list";
import { meetingOf, Store } from "attendance/store";

export async function start(root) {
  const store = new Store();
  await store.forgetOldPages(Date.now()).catch(() => {});
  const unsent = await unsentByMeeting(store);
  const pages = await store.pages().catch(() => []);
  if (root.dataset.here) showHere(root, pages, unsent);
  else showUnsent(root, unsent);
  startWorker(root.dataset.worker, () => !unsent.size);
  await deliverAll(store).catch(() => {});
  if (!root.dataset.here) showUnsent(root, await unsentByMeeting(store));
  root.dataset.started = "true";
}

async function unsentByMeeting(store) {
  const numbers = new Map();
  for (const { url, refused } of await store.items()) {
    if (!refused) numbers.set(meetingOf(url), (numbers.get(meetingOf(url)) ?? 0) + 1);
  }
  return numbers;
}

function showHere(root, pages, unsent) {
  const cameByLink = location.pathname.startsWith("/attendance/link/");
  if (cameByLink && pages.length === 1) return location.replace(`/attendance/${pages[0].meeting}`);
  root.querySelector(".registers").hidden = pages.length === 0;
  root.querySelector(".saved-none").hidden = pages.length > 0;
  const cards = pages.map(({ meeting, topic, when }) => {
    const link = element("a", "", element("strong", "", topic));
    link.href = `/attendance/${meeting}`;
    const waiting = unsent.get(meeting);
    const number = waiting ? element("p", "", root.dataset.unsent.replace("%", waiting)) : null;
    return element("li", "register-card", link, element("p", "", when), number);
  });
  return root.querySelector("ul").replaceChildren(...cards);
}

/** On the list that the server made: which of its registers still wait here. */
function showUnsent(root, unsent) {
  for (const card of root.querySelectorAll("[data-meeting]")) {
    const waiting = unsent.get(Number(card.dataset.meeting));
    card.textContent = waiting ? root.dataset.unsent.replace("%", waiting) : "";
    card.hidden = !waiting;
  }
}
