/**
 * Rows that take one key or one tap each and then lead to the next. What is typed survives a closed
 * page until it is saved, and a page with something unsaved asks before it is left. The keys work
 * only while the focus is in the form, so that they never act for somebody who is elsewhere.
 */

export function keyRows(form, { keys, none, rest = null, storeKey }) {
  const part = (name) => document.querySelector(`[data-rows="${name}"]`);
  const rows = [...form.querySelectorAll('[data-rows="row"]')];
  const radios = rows.map((row) => [...row.querySelectorAll("input[type=radio]")]);
  const texts = rows.flatMap((row) => [...row.querySelectorAll("input[type=text]")]);
  let current = 0;
  let byPointer = false;
  let isSending = false;

  const chosen = (index) => radios[index].find((radio) => radio.checked)?.value ?? none;
  const kept = (index) => radios[index].find((radio) => "kept" in radio.dataset)?.value;
  const changed = () => [
    ...rows.flatMap((_row, index) => (chosen(index) === kept(index) ? [] : [[radios[index][0].name, chosen(index)]])),
    ...texts.filter((text) => text.value !== text.dataset.kept).map((text) => [text.name, text.value]),
  ];

  function store() {
    const entries = changed();
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
      if (value !== undefined && chosen(index) === kept(index) && value !== kept(index)) restored += choose(index, value);
    });
    for (const text of texts) {
      const value = typed[text.name];
      if (value === undefined || value === text.value || text.value !== text.dataset.kept) continue;
      text.value = value;
      restored += 1;
    }
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
    rows[current]?.classList.remove("key-current");
    current = Math.max(0, Math.min(rows.length - 1, index));
    const row = rows[current];
    if (!row) return;
    row.classList.add("key-current");
    if (!focus) return;
    (radios[current].find((radio) => radio.checked) ?? radios[current][0]).focus({ preventScroll: true });
    row.scrollIntoView({ block: "center" });
  }

  function count() {
    const done = rows.filter((_row, index) => chosen(index) !== none).length;
    const box = part("count");
    const numbers = { done: done.toLocaleString("vi"), total: rows.length.toLocaleString("vi") };
    box.textContent = box.dataset.words.replace("{done}", numbers.done).replace("{total}", numbers.total);
    if (rest) part("rest").disabled = done === rows.length;
  }

  const afterChange = () => {
    count();
    store();
  };

  form.addEventListener("keydown", (event) => {
    byPointer = false;
    const isTyping = event.target.matches("input:not([type=radio]), textarea, select");
    if (isTyping || event.ctrlKey || event.altKey || event.metaKey) return;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps) {
      event.preventDefault();
      go(current + steps[event.key]);
    } else if (event.key in keys && choose(current, keys[event.key])) {
      event.preventDefault();
      afterChange();
      go(current + 1);
    }
  });

  form.addEventListener("pointerdown", () => {
    byPointer = true;
  });
  form.addEventListener("change", (event) => {
    const index = rows.indexOf(event.target.closest('[data-rows="row"]'));
    if (index < 0) return;
    afterChange();
    if (event.target.type === "radio") go(byPointer ? index + 1 : index);
  });
  form.addEventListener("input", (event) => event.target.type === "text" && store());
  form.addEventListener("focusin", (event) => {
    const index = rows.indexOf(event.target.closest('[data-rows="row"]'));
    if (index >= 0 && index !== current) go(index, { focus: false });
  });
  form.addEventListener("submit", () => {
    isSending = true;
  });
  window.addEventListener("beforeunload", (event) => {
    if (!isSending && changed().length) event.preventDefault();
  });

  if (rest) {
    part("rest").hidden = false;
    part("rest").addEventListener("click", () => {
      rows.forEach((_row, index) => chosen(index) === none && choose(index, rest));
      afterChange();
    });
  }
  part("keys").hidden = false;
  restore();
  count();
  go(Math.max(0, rows.findIndex((_row, index) => chosen(index) === none)));
}
