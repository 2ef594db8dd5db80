/** Households that each group's head declares: one cumulative number a group, kept before it is sent. */

import { newId } from "attendance/roster";

export function startTallies(root, queue) {
  const forms = new Map([...root.querySelectorAll(".tally")].map((form) => [Number(form.dataset.unit), form]));
  const last = new Map();

  const show = () => {
    for (const { unit, households } of queue.waiting.values()) {
      const form = forms.get(unit);
      if (form && !last.has(unit)) form.querySelector("input").value = households;
    }
    for (const [unit, form] of forms) {
      const isWaiting = [...queue.waiting.values()].some((one) => one.unit === unit);
      form.dataset.state = isWaiting ? "waiting" : "";
    }
  };

  const declare = async (form) => {
    const { unit, name, declared, lower } = form.dataset;
    const households = form.querySelector("input").valueAsNumber;
    const is_correction = declared !== "" && households < Number(declared);
    if (is_correction && !window.confirm(lower.replace("%", declared))) return;
    const item = { id: newId(), unit: Number(unit), households, label: name, ...(is_correction && { is_correction }) };
    const before = last.get(item.unit);
    last.set(item.unit, item.id);
    await queue.add([item], before && queue.waiting.has(before) ? [before] : []);
    form.dataset.declared = households;
    navigator.vibrate?.(20);
    show();
  };

  root.addEventListener("submit", (event) => {
    event.preventDefault();
    declare(event.target);
  });
  queue.addEventListener("change", show);
  show();
}
