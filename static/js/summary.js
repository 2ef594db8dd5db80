/** Brings the reader to the list of errors above a form. */

export function start(summary) {
  summary.focus();
}
