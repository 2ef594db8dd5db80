/** Narrows a long list of checkboxes as one types, marks and word order ignored, and counts the chosen. */

import { fold, matches } from "text";

export function start(picker) {
  const bar = picker.querySelector("[data-picker-bar]");
  const search = picker.querySelector("[data-picker-search]");
  const only = picker.querySelector("[data-picker-chosen]");
  const count = picker.querySelector("[data-picker-count]");
  const choices = [...picker.querySelectorAll(".picker-choice")].map((label) => ({
    label,
    box: label.querySelector("input"),
    name: fold(label.textContent),
  }));
  const show = () => {
    for (const { label, box, name } of choices) {
      label.hidden = !matches(search.value, name) || (only.checked && !box.checked);
    }
  };
  const tell = () => {
    const chosen = choices.filter(({ box }) => box.checked).length;
    count.textContent = count.dataset.text.replace("{count}", chosen);
  };
  bar.hidden = false;
  search.addEventListener("input", (event) => {
    event.stopPropagation();
    show();
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  only.addEventListener("change", (event) => {
    event.stopPropagation();
    show();
  });
  picker.addEventListener("change", tell);
  tell();
}
