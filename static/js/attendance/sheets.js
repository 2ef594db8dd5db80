/** The sheets that rise from the foot: another status, one more person, handing in. */

import { get, post } from "request";
import { element } from "attendance/list";

const TYPING = 300;
const find = (selector) => document.querySelector(selector);

export function startSheets() {
  document.querySelectorAll("dialog.register-sheet").forEach((sheet) =>
    sheet.addEventListener("click", (event) => {
      if (event.target === sheet || event.target.closest("[data-close]")) sheet.close();
    }),
  );
}

/** Gives a function that asks which status somebody has; `choose(subject, status)` hears it. */
export function startChoices(roster, texts, choose) {
  const sheet = find("#register-choices");
  sheet.addEventListener("click", (event) => {
    const status = event.target.closest("[data-status]")?.dataset.status;
    if (!status) return;
    choose(sheet.dataset.subject, status);
    sheet.close();
  });
  return (subject) => {
    const line = roster.lines.get(subject);
    sheet.dataset.subject = subject;
    sheet.querySelector("h2").textContent = line.name;
    sheet.querySelector("h2 + p").textContent = line.said ? texts.settle : (line.unit ?? "");
    for (const button of sheet.querySelectorAll("[data-status]")) {
      button.setAttribute("aria-pressed", String(button.dataset.status === line.status));
    }
    sheet.showModal();
  };
}

/** Adds a known member or a stranger; gives a function that opens the sheet with a name typed. */
export function startAdding(page, { addKnown, addStranger }) {
  const sheet = find("#register-add");
  if (!sheet) return () => {};
  const name = sheet.querySelector("[name=name]");
  const unit = sheet.querySelector("[name=unit]");
  const found = sheet.querySelector(".found");
  let timer = null;

  const choose = async (person) => {
    try {
      addKnown(await post(page.guests_url, { person: person.id }));
      sheet.close();
    } catch (error) {
      found.replaceChildren(element("li", "found-none", error.status ? error.message : page.texts.no_network));
    }
  };

  const lookUp = async (typed) => {
    const answer = await get(`${page.people_url}?q=${encodeURIComponent(typed)}`).catch(() => null);
    if (name.value.trim() !== typed) return;
    found.replaceChildren(...(answer?.people ?? []).map((person) => foundLine(page, person, choose)));
  };

  name.addEventListener("input", () => {
    clearTimeout(timer);
    const typed = name.value.trim();
    if (typed) timer = setTimeout(lookUp, TYPING, typed);
    else found.replaceChildren();
  });
  sheet.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!name.value.trim()) return;
    addStranger(name.value.trim(), unit.value.trim());
    sheet.close();
  });

  return (typed) => {
    name.value = typed;
    unit.value = "";
    found.replaceChildren();
    sheet.showModal();
    name.focus();
    if (typed) name.dispatchEvent(new Event("input"));
  };
}

function foundLine(page, person, choose) {
  const about = [person.unit, person.birth_year && page.texts.born.replace("%", person.birth_year)];
  if (person.on_roll === false) about.push(page.texts.off_roll);
  const words = element("span", "", about.filter(Boolean).join(" · "));
  const button = element("button", "found-person", element("b", "", person.name), words);
  button.type = "button";
  button.addEventListener("click", () => choose(person));
  return element("li", "", button);
}

/** Shows who is not marked before the register is handed in. */
export function startSubmitting(roster, texts, beforeShown) {
  const opener = find("#register-submit-open");
  if (!opener) return;
  const sheet = find("#register-submit");
  opener.addEventListener("click", (event) => {
    event.preventDefault();
    const missing = roster.notMarked();
    const numbers = roster.counts();
    for (const one of sheet.querySelectorAll("[data-count]")) {
      one.textContent = numbers[one.dataset.count].toLocaleString("vi");
    }
    sheet.querySelector(".missing-title").textContent = missing.length
      ? texts.missing.replace("%", missing.length)
      : texts.none_missing;
    sheet.querySelector(".missing").replaceChildren(
      ...missing.map((line) => element("li", "", line.name, element("span", "quiet", ` ${line.unit ?? ""}`))),
    );
    const unsettled = sheet.querySelector(".unsettled");
    unsettled.hidden = !roster.contradicted().length;
    unsettled.textContent = texts.unsettled.replace("%", roster.contradicted().length);
    beforeShown();
    sheet.showModal();
  });
}
