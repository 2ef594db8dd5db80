/** Shows the print button, which needs script to work. */

export function start(button) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
