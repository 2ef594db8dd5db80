/** Names folded and searched in the browser exactly as rules/text.py does on the server. */

const SPACES = /[\s\u001c-\u001f\u0085]+/gu;
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}]/gu;
const LOOKALIKES_OF_D = /[đðɖ]/gu;
const MARKS = /\p{Mn}/gu;

/** One space between words, nothing invisible, NFC: the text as the server stores it. */
export function clean(text) {
  // U+FEFF is white space to JavaScript and an invisible mark to Unicode; it goes first.
  return text
    .replaceAll("\ufeff", "")
    .replace(SPACES, " ")
    .replace(INVISIBLE, "")
    .replace(/ +/gu, " ")
    .trim()
    .normalize("NFC");
}

/** The search key: small letters without marks, đ as d, so that hoà = hòa = HOA. */
export function fold(text) {
  return clean(text)
    .toLowerCase()
    .replace(LOOKALIKES_OF_D, "d")
    .normalize("NFD")
    .replace(MARKS, "")
    .replace(/ +/gu, " ")
    .trim();
}

/** Whether each word of the query begins some word of the already folded name, in any order. */
export function matches(query, foldedName) {
  const names = foldedName.split(" ");
  return fold(query)
    .split(" ")
    .every((word) => names.some((name) => name.startsWith(word)));
}
