/** Big buttons that count heads where nobody is named; each count is kept and sent as it stands. */

import { element } from "attendance/list";
import { newId } from "attendance/roster";

export function startHeads(root, page, queue) {
  const heads = new Map(Object.entries(page.heads));
  const last = new Map();
  if (!heads.size) heads.set("", 0);
  const rows = root.querySelector(".heads-rows");
  const total = root.querySelector(".heads-total");

  const take = (items) => {
    for (const item of items) heads.set(item.label, item.heads);
  };

  // Only the newest count of a label has to arrive, so it takes the place of one not yet sent.
  const add = async (label, by) => {
    const number = Math.max(0, Math.min(100_000, heads.get(label) + by));
    const item = { id: newId(), label, heads: number, counted_at: new Date().toISOString() };
    const before = last.get(label);
    heads.set(label, number);
    last.set(label, item.id);
    await queue.add([item], before ? [before] : []);
    draw();
  };

  const button = (label, by, text) => {
    const made = element("button", `heads-button${by === 1 ? " heads-one" : ""}`, text);
    made.type = "button";
    made.disabled = page.locked;
    made.setAttribute("aria-label", `${text} ${label || page.texts.heads}`);
    made.addEventListener("click", () => {
      navigator.vibrate?.(15);
      add(label, by);
    });
    return made;
  };

  const rowOf = (label) => {
    const number = element("output", "heads-number", "0");
    number.dataset.label = label;
    return element(
      "div",
      "heads-row",
      element("p", "heads-label", label || page.texts.heads),
      number,
      element("div", "heads-buttons", button(label, -1, "−1"), button(label, 1, "+1"), button(label, 10, "+10")),
    );
  };

  const draw = () => {
    for (const [label, number] of heads) {
      let shown = [...rows.querySelectorAll("output")].find((one) => one.dataset.label === label);
      if (!shown) {
        const row = rowOf(label);
        rows.append(row);
        shown = row.querySelector("output");
      }
      shown.textContent = number.toLocaleString("vi");
    }
    const sum = [...heads.values()].reduce((all, one) => all + one, 0);
    total.hidden = heads.size < 2;
    total.querySelector("b").textContent = sum.toLocaleString("vi");
  };

  root.querySelectorAll("[data-label-name]").forEach((choice) =>
    choice.addEventListener("click", () => {
      const label = choice.dataset.labelName;
      if (!heads.has(label)) heads.set(label, 0);
      choice.hidden = true;
      draw();
    }),
  );
  queue.addEventListener("elsewhere", ({ detail }) => {
    take(detail);
    draw();
  });
  draw();
}
