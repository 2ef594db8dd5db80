/** Typing a paper register in: one key or one tap a row. */

import { keyRows } from "key_rows";

const KEYS = { 1: "present", 2: "late", 3: "excused", 4: "unexcused", 0: "not_marked" };

export function start(form) {
  keyRows(form, { keys: KEYS, none: "not_marked", rest: "present", storeKey: `paper:${form.dataset.meeting}` });
}
