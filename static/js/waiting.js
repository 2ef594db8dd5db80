/**
 * Shows that a long page or file is being made: two seconds after it was asked for, with the seconds
 * that have passed. The page that asked stays until the answer comes, so it is the one to say so.
 */

const PATIENCE = 2000;
const SECOND = 1000;
const FILE = /\.(?:xlsx|docx)$/u;

export function start(box) {
  const text = box.querySelector("[data-progress-text]");
  let asked = null;
  let clock = null;

  function show() {
    box.hidden = false;
    text.textContent = `${Math.round((Date.now() - asked) / SECOND)} s`;
  }

  function begin() {
    end();
    asked = Date.now();
    clock = setTimeout(() => {
      show();
      clock = setInterval(show, SECOND);
    }, PATIENCE);
  }

  function end() {
    clearTimeout(clock);
    clearInterval(clock);
    box.hidden = true;
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    const isPlain = !event.defaultPrevented && !event.button && !event.ctrlKey && !event.metaKey;
    if (!link || !isPlain || event.shiftKey || link.target || !isAnotherPage(link)) return;
    begin();
    if (FILE.test(link.pathname)) {
      event.preventDefault();
      fetchFile(link.href, end);
    }
  });
  document.addEventListener("submit", (event) => {
    if (!event.defaultPrevented) begin();
  });
  window.addEventListener("pageshow", end);
}

function isAnotherPage(link) {
  const here = window.location;
  return link.origin === here.origin && link.pathname + link.search !== here.pathname + here.search;
}

/** A download does not tell when it begins; fetched here, its end is known. A refusal is shown. */
async function fetchFile(href, done) {
  try {
    const answer = await fetch(href);
    if (!answer.ok) throw new Error(answer.statusText);
    const name = /filename="([^"]+)"/u.exec(answer.headers.get("content-disposition") ?? "");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await answer.blob());
    link.download = name ? name[1] : "";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60 * SECOND);
    done();
  } catch {
    window.location.assign(href);
  }
}
