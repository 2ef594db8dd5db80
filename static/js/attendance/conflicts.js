/** Whom two phones marked differently: each answer with who gave it, settled by one tap on the right one. */

import { element } from "attendance/list";
import { clock } from "attendance/saving";

/** Gives a function that shows those to settle; `settle(subject, status)` hears the choice. */
export function startConflicts(roster, texts, settle) {
  const box = document.querySelector(".conflicts");
  if (!box) return () => {};
  const title = box.querySelector(".notice-title");
  const list = box.querySelector("ul");
  let shown = "";

  const choice = (line, status) => {
    const made = line.said.filter((one) => one.status === status);
    const who = made.map(({ by, at }) => [by, clock(new Date(at))].filter(Boolean).join(", "));
    const button = element(
      "button",
      "conflict-choice",
      element("b", "", texts.statuses[status]),
      element("span", "", who.join("; ")),
    );
    button.type = "button";
    button.addEventListener("click", () => settle(line.subject, status));
    return button;
  };

  const lineOf = (line) => {
    const statuses = [...new Set(line.said.map((one) => one.status))];
    const name = element("p", "", element("b", "", line.name), line.unit ? ` · ${line.unit}` : "");
    return element("li", "", name, element("div", "conflict-choices", ...statuses.map((one) => choice(line, one))));
  };

  // A redrawn button under the finger would take a tap meant for its neighbour: only what changes is drawn.
  return () => {
    const lines = roster.contradicted();
    const now = JSON.stringify(lines.map(({ subject, said }) => [subject, said]));
    if (now === shown) return;
    shown = now;
    box.hidden = lines.length === 0;
    title.textContent = texts.conflicts.replace("%", lines.length);
    list.replaceChildren(...lines.map(lineOf));
  };
}
