/** Shows a meeting's clashes while its form is being filled in, and hides what its kind does not need. */

const PATIENCE_MS = 350;

export function start(form) {
  const shown = form.querySelector("[data-clashes]");
  let waiting = 0;
  let latest = 0;

  async function ask() {
    const number = ++latest;
    const answer = await fetch(form.dataset.clashesUrl, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
    });
    if (!answer.ok || number !== latest) return;
    const { html } = await answer.json();
    if (number === latest && shown.innerHTML !== html) shown.innerHTML = html;
  }

  function later() {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(() => ask().catch(() => {}), PATIENCE_MS);
  }

  function fit() {
    const kind = form.elements.kind.value;
    const mode = form.elements.mode.value;
    const campaign = form.elements.campaign_id.value;
    hide(form.elements.course_id, kind !== "class");
    hide(form.elements.online_url, mode === "in_person");
    hide(form.elements.is_makeup, !campaign);
    hide(form.elements.campaign_topic_id, !campaign);
  }

  form.addEventListener("input", later);
  form.addEventListener("change", () => {
    fit();
    later();
  });
  fit();
}

function hide(control, hidden) {
  const field = control?.closest(".field");
  if (field) field.hidden = hidden && !control.value.trim().replace("y", "");
}
