/** Opens a dialog from the links that name it; without script the links lead to a page. */

export function start(dialog) {
  for (const opener of document.querySelectorAll(`[data-opens-dialog="${dialog.id}"]`)) {
    opener.setAttribute("aria-haspopup", "dialog");
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}
