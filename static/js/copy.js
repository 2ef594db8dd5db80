/** Copies the text of a box and says so; where the clipboard is closed it selects the text. */

export function start(box) {
  const text = box.querySelector("[data-copy-text]");
  const button = box.querySelector("[data-copy-button]");
  const done = box.querySelector("[data-copy-done]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.value);
      done.textContent = done.dataset.copyDone;
    } catch {
      text.focus();
      text.select();
    }
  });
}
