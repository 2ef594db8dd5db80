/** Typing a paper register in: one key or one tap a row, and what is typed survives a closed page. */

const KEYS = { 1: "present", 2: "late", 3: "excused", 4: "unexcused", 0: "not_marked" };

export function start(form) {
  const part = (name) => document.querySelector(`[data-paper="${name}"]`);
  const rows = [...form.querySelectorAll('[data-paper="row"]')];
  const radios = rows.map((row) => [...row.querySelectorAll("input[type=radio]")]);
  const storeKey = `paper:${form.dataset.meeting}`;
  let current = 0;
  let byPointer = false;
  let isSending = false;

  const chosen = (index) => radios[index].find((radio) => radio.checked)?.value ?? "not_marked";
  const kept = (index) => radios[index].find((radio) => "kept" in radio.dataset)?.value;
  const changed = () => rows.map((_row, index) => index).filter((index) => chosen(index) !== kept(index));

  function store() {
    const entries = changed().map((index) => [radios[index][0].name, chosen(index)]);
    try {
      if (entries.length) localStorage.setItem(storeKey, JSON.stringify(Object.fromEntries(entries)));
      else localStorage.removeItem(storeKey);
    } catch {
      /* A browser that keeps nothing still warns before the page is left. */
    }
  }

  function restore() {
    if ("saved" in form.dataset) return store();
    let typed = {};
    try {
      typed = JSON.parse(localStorage.getItem(storeKey) ?? "{}");
    } catch {
      return;
    }
    let restored = 0;
    rows.forEach((_row, index) => {
      const value = typed[radios[index][0].name];
      if (value && chosen(index) === kept(index) && value !== kept(index)) restored += choose(index, value);
    });
    if (!restored) return;
    part("note").textContent = form.dataset.restored;
    part("note").hidden = false;
  }

  function choose(index, value) {
    const radio = radios[index]?.find((one) => one.value === value);
    if (!radio) return 0;
    radio.checked = true;
    return 1;
  }

  function go(index, { focus = true } = {}) {
    rows[current]?.classList.remove("paper-current");
    current = Math.max(0, Math.min(rows.length - 1, index));
    const row = rows[current];
    if (!row) return;
    row.classList.add("paper-current");
    if (!focus) return;
    (radios[current].find((radio) => radio.checked) ?? radios[current][0]).focus({ preventScroll: true });
    row.scrollIntoView({ block: "center" });
  }

  function count() {
    const done = rows.filter((_row, index) => chosen(index) !== "not_marked").length;
    const box = part("count");
    const numbers = { done: done.toLocaleString("vi"), total: rows.length.toLocaleString("vi") };
    box.textContent = box.dataset.words.replace("{done}", numbers.done).replace("{total}", numbers.total);
    part("rest").disabled = done === rows.length;
  }

  const afterChange = () => {
    count();
    store();
  };

  document.addEventListener("keydown", (event) => {
    byPointer = false;
    const isTyping = event.target.matches("input:not([type=radio]), textarea, select");
    if (isTyping || event.ctrlKey || event.altKey || event.metaKey) return;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) {
      event.preventDefault();
      go(current + steps[event.key]);
    } else if (event.key in KEYS && choose(current, KEYS[event.key])) {
      event.preventDefault();
      afterChange();
      go(current + 1);
    }
  });

  form.addEventListener("pointerdown", () => {
    byPointer = true;
  });
  form.addEventListener("change", (event) => {
    const index = rows.indexOf(event.target.closest('[data-paper="row"]'));
    if (index < 0) return;
    afterChange();
    go(byPointer ? index + 1 : index);
  });
  form.addEventListener("focusin", (event) => {
    const index = rows.indexOf(event.target.closest('[data-paper="row"]'));
    if (index >= 0 && index !== current) go(index, { focus: false });
  });
  form.addEventListener("submit", () => {
    isSending = true;
  });
  window.addEventListener("beforeunload", (event) => {
    if (!isSending && changed().length) event.preventDefault();
  });

  part("rest").addEventListener("click", () => {
    rows.forEach((_row, index) => chosen(index) === "not_marked" && choose(index, "present"));
    afterChange();
  });

  part("keys").hidden = false;
  part("rest").hidden = false;
  restore();
  count();
  go(Math.max(0, rows.findIndex((_row, index) => chosen(index) === "not_marked")));
}
