/**
 * Sends the filter bar when a choice changes; a typed word waits for Enter or the button. On a phone
 * only the first filter is shown until more are asked for, or one of them is in use.
 */

const CHOSEN_AT_ONCE = "select, input[type=checkbox], input[type=radio], input[type=date]";
const NARROW = window.matchMedia("(max-width: 47.99rem)");

export function start(form) {
  fold(form);
  form.addEventListener("change", (event) => {
    if (event.target.matches(CHOSEN_AT_ONCE)) form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    for (const field of form.elements) {
      if (field.name && field.value === "") field.disabled = true;
    }
  });
  window.addEventListener("pageshow", () => {
    for (const field of form.elements) field.disabled = false;
  });
}

function fold(form) {
  const more = form.querySelector("[data-filter-more]");
  const rest = [...form.querySelectorAll(".filter")].slice(1);
  const asked = new URLSearchParams(window.location.search);
  const inUse = rest.some((filter) => asked.get(filter.querySelector("[name]")?.name));
  if (!more || rest.length < 2 || inUse || !NARROW.matches) return;
  form.classList.add("filter-folded");
  more.hidden = false;
  more.addEventListener("click", () => {
    form.classList.remove("filter-folded");
    more.hidden = true;
    rest[0].querySelector("[name]")?.focus();
  });
}
