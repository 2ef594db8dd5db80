/** The register on a phone: tap a name, and it is kept here until the server has it. */

import { get, post } from "request";
import { startHeads } from "attendance/heads";
import { element, List } from "attendance/list";
import { Queue } from "attendance/queue";
import { Roster } from "attendance/roster";

const LOOK_EVERY = 20_000;
const LINGER = 700;
const TOAST = 8000;
const TYPING = 300;

export function start(root) {
  const page = JSON.parse(document.getElementById("register-data").textContent);
  const find = (selector) => document.querySelector(selector);
  const texts = page.texts;
  const roster = new Roster(page.register);
  page.groups = page.register.groups;
  page.heads = page.register.heads;
  const queue = new Queue(page.marks_url, "marks", { register: "counts" });
  const headQueue = new Queue(page.heads_url, "counts");
  const list = new List(find(".register-list"), page, roster);
  const search = find("#register-search");

  const changed = () => {
    list.count();
    showCounts();
  };

  const mark = (subjects, status) => {
    const marks = roster.set(subjects, status);
    if (!marks.length) return;
    navigator.vibrate?.(20);
    queue.add(marks);
    subjects.forEach((subject) => list.paint(roster.lines.get(subject)));
    changed();
    setTimeout(() => list.show(), list.filter ? LINGER : 0);
  };

  function showCounts() {
    if (roster.lines.size) find(".register-tools").classList.remove("heads-only");
    const numbers = roster.counts();
    for (const chip of document.querySelectorAll("[data-filter]")) {
      chip.querySelector("b").textContent = numbers[chip.dataset.filter].toLocaleString("vi");
      chip.setAttribute("aria-pressed", String(list.filter === chip.dataset.filter));
    }
    const undo = find("#register-undo");
    if (undo) undo.disabled = roster.past.length === 0;
    const all = find("#register-all");
    if (all) all.disabled = numbers.not_marked === 0;
  }


  const queues = [queue, headQueue];
  const clock = (at) => `${at.getHours()}h${String(at.getMinutes()).padStart(2, "0")}`;

  function showSaving() {
    const waiting = queues.reduce((sum, one) => sum + one.size, 0);
    const troubled = queues.find((one) => one.size && one.trouble);
    const box = find(".save-state");
    const savedAt = queues.map((one) => one.savedAt).filter(Boolean).sort((a, b) => b - a)[0];
    box.dataset.state = troubled ? "trouble" : waiting ? "sending" : "saved";
    let words = savedAt ? texts.saved_at.replace("%", clock(savedAt)) : texts.saved;
    if (waiting) words = texts.unsent.replace("%", waiting);
    if (troubled) {
      const seconds = Math.max(1, Math.ceil((troubled.nextTry - Date.now()) / 1000));
      const why = troubled.signedOut
        ? texts.signed_out
        : texts.again_in.replace("%", troubled.sending ? 0 : seconds);
      words = `${words}. ${why}`;
    }
    const shown = box.querySelector("span");
    if (shown.textContent !== words) shown.textContent = words;
    box.querySelector("button").hidden = !troubled;
    const submit = find("#register-submit-now");
    if (submit) submit.disabled = waiting > 0;
    const hint = find("#register-submit-wait");
    if (hint) hint.hidden = waiting === 0;
  }

  function showRefused() {
    const box = find(".refused");
    const items = queues.flatMap((one) => [...one.refused.values()].map((item) => [one, item]));
    box.hidden = items.length === 0;
    box.querySelector("ul").replaceChildren(
      ...items.map(([owner, item]) => {
        const name = roster.lines.get(item.subject)?.name ?? item.name ?? item.label ?? "";
        const close = element("button", "button button-secondary", texts.understood);
        close.type = "button";
        close.addEventListener("click", () => owner.forgetRefused(item.id));
        return element("li", "", element("p", "", element("b", "", name), ` ${item.reason ?? ""}`), close);
      }),
    );
  }

  for (const one of queues) {
    one.addEventListener("change", () => {
      showSaving();
      showRefused();
    });
  }
  queue.addEventListener("answer", ({ detail }) => {
    const others = detail.register.version > roster.version + 1;
    roster.version = detail.register.version;
    const refused = detail.marks.some(({ verdict }) => verdict === "refused" || verdict === "flagged");
    if (others || refused) refresh(true);
  });
  headQueue.addEventListener("answer", ({ detail }) => {
    roster.version = detail.register.version;
  });
  setInterval(() => queues.some((one) => one.trouble) && showSaving(), 1000);
  find(".save-state button").addEventListener("click", () => queues.forEach((one) => one.hurry()));
  window.addEventListener("beforeunload", (event) => {
    if (queues.some((one) => one.size)) event.preventDefault();
  });

  async function refresh(whole = false) {
    const address = whole ? page.register_url : `${page.register_url}?version=${roster.version}`;
    const answer = await get(address).catch(() => null);
    if (!answer?.ok || answer.unchanged) return;
    take(answer);
  }

  function take(register) {
    if (register.state !== page.register.state && ["submitted", "locked"].includes(register.state)) {
      if (!queues.some((one) => one.size)) return void location.reload();
    }
    page.groups = register.groups;
    roster.take(register, queue.waiting.values());
    list.paintAll();
    showCounts();
  }

  setInterval(() => {
    if (document.visibilityState === "visible" && !queue.size) refresh();
  }, LOOK_EVERY);


  list.root.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.group) return void markGroup(button.dataset.group);
    const subject = button.closest(".person").dataset.subject;
    const { status } = roster.lines.get(subject);
    if (button.classList.contains("person-more")) openChoices(subject);
    else if (status === "not_marked") mark([subject], "present");
    else if (status === "present") mark([subject], "not_marked");
    else openChoices(subject);
  });

  list.root.addEventListener("shown", ({ detail }) => {
    const box = find(".nobody-found");
    box.hidden = detail > 0 || roster.lines.size === 0;
    box.querySelector("p").textContent = list.query ? texts.nobody.replace("%", list.query) : texts.nobody_here;
    box.querySelector("button").hidden = !list.query || page.locked;
  });

  const look = () => {
    list.query = search.value.trim();
    find("#register-clear").hidden = !search.value;
    list.show();
  };
  search.addEventListener("input", look);
  find("#register-clear").addEventListener("click", () => {
    search.value = "";
    look();
    search.focus();
  });

  document.querySelectorAll("[data-filter]").forEach((chip) =>
    chip.addEventListener("click", () => {
      list.filter = list.filter === chip.dataset.filter ? "" : chip.dataset.filter;
      list.show();
      showCounts();
    }),
  );


  let toastTimer = null;
  function toast(words) {
    const box = find(".toast");
    box.querySelector("span").textContent = words;
    box.hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => {
      box.hidden = true;
    }, TOAST);
  }

  function markMany(lines) {
    mark(lines.map((line) => line.subject), "present");
    toast(texts.all_done.replace("%", lines.length));
  }

  function markGroup(key) {
    markMany(roster.notMarked().filter((line) => String(line.group ?? "guests") === key));
  }

  function undo() {
    const marks = roster.undo();
    if (marks.length) queue.add(marks);
    list.paintAll();
    showCounts();
    find(".toast").hidden = true;
  }

  find("#register-all")?.addEventListener("click", () => markMany(roster.notMarked()));
  find("#register-undo")?.addEventListener("click", undo);
  find(".toast button").addEventListener("click", undo);


  document.querySelectorAll("dialog.register-sheet").forEach((sheet) =>
    sheet.addEventListener("click", (event) => {
      if (event.target === sheet || event.target.closest("[data-close]")) sheet.close();
    }),
  );

  function openChoices(subject) {
    const sheet = find("#register-choices");
    const line = roster.lines.get(subject);
    sheet.dataset.subject = subject;
    sheet.querySelector("h2").textContent = line.name;
    sheet.querySelector("h2 + p").textContent = line.others ? texts.settle : (line.unit ?? "");
    for (const button of sheet.querySelectorAll("[data-status]")) {
      button.setAttribute("aria-pressed", String(button.dataset.status === line.status));
    }
    sheet.showModal();
  }

  find("#register-choices").addEventListener("click", (event) => {
    const status = event.target.closest("[data-status]")?.dataset.status;
    if (!status) return;
    const { subject } = find("#register-choices").dataset;
    mark([subject], status);
    find("#register-choices").close();
  });

  startAdding();
  startSubmitting();
  if (find(".heads")) startHeads(find(".heads"), page, headQueue);

  function startAdding() {
    const sheet = find("#register-add");
    if (!sheet) return;
    const name = sheet.querySelector("[name=name]");
    const unit = sheet.querySelector("[name=unit]");
    const found = sheet.querySelector(".found");
    let timer = null;

    const open = (typed) => {
      name.value = typed;
      unit.value = "";
      found.replaceChildren();
      sheet.showModal();
      name.focus();
      if (typed) name.dispatchEvent(new Event("input"));
    };

    const after = (subject) => {
      sheet.close();
      search.value = "";
      list.filter = "";
      look();
      list.rows.get(subject)?.row.scrollIntoView({ block: "center" });
      toast(texts.added.replace("%", roster.lines.get(subject)?.name ?? ""));
    };

    const addKnown = async (person) => {
      try {
        const answer = await post(page.guests_url, { person: person.id });
        take(answer.register);
        mark([answer.subject], "present");
        after(answer.subject);
      } catch (error) {
        found.replaceChildren(element("li", "found-none", error.status ? error.message : texts.no_network));
      }
    };

    const showFound = (people) =>
      found.replaceChildren(
        ...people.map((person) => {
          const about = [person.unit, person.birth_year && texts.born.replace("%", person.birth_year)];
          const button = element(
            "button",
            "found-person",
            element("b", "", person.name),
            element("span", "", about.filter(Boolean).join(" · ")),
          );
          button.type = "button";
          button.addEventListener("click", () => addKnown(person));
          return element("li", "", button);
        }),
      );

    name.addEventListener("input", () => {
      clearTimeout(timer);
      const typed = name.value.trim();
      if (!typed) return void found.replaceChildren();
      timer = setTimeout(async () => {
        const answer = await get(`${page.people_url}?q=${encodeURIComponent(typed)}`).catch(() => null);
        if (name.value.trim() === typed) showFound(answer?.people ?? []);
      }, TYPING);
    });

    sheet.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      const typed = name.value.trim();
      if (!typed) return;
      const { subject, marks } = roster.addWalkIn(typed, unit.value.trim());
      queue.add(marks);
      list.paintAll();
      showCounts();
      after(subject);
    });

    find("#register-add-open").addEventListener("click", () => open(""));
    find(".nobody-found button").addEventListener("click", () => open(list.query));
  }

  function startSubmitting() {
    const opener = find("#register-submit-open");
    if (!opener) return;
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      const missing = roster.notMarked();
      const sheet = find("#register-submit");
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
      showSaving();
      sheet.showModal();
    });
  }

  list.draw();
  showCounts();
  showSaving();
  root.dataset.started = "true";
}
